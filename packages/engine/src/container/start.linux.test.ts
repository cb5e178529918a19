import { readdir } from "node:fs/promises";

import {
  type ContainerId,
  newContainerId,
  newOperationId,
  operationIdSchema,
} from "@podfleet/model/ids";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { eventually, waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { receive } from "../rootfs/test-transfer.ts";
import { createVerb, EngineUnderTest, failureOf } from "../test-engine.ts";
import { exec } from "../test-exec.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const start = { verb: "container.start", recursive: false } as const;
const init = { verb: "container.init" } as const;

describe("create", () => {
  test("makes a configured container and one event", async () => {
    const id = await under.create({ labels: { app: "web" } });
    expect(under.snapshot(id)).toMatchObject({ state: "configured", revision: 1, run: 0 });
    expect(under.events(id).map(({ type }) => type)).toEqual(["container.create"]);
    const { spec, paths } = await under.engine.inspect(id);
    expect(spec.labels).toEqual({ app: "web" });
    expect(paths).not.toHaveProperty("rootfs");
  });

  test("refuses an image that is not loaded", async () => {
    const id = newContainerId();
    const outcome = await under.perform(id, createVerb(id, { image: "nothing" }));
    expect(failureOf(outcome)).toMatchObject({ code: "IMAGE_NOT_FOUND" });
    await expect(under.engine.inspect(id)).rejects.toMatchObject({ code: "CONTAINER_NOT_FOUND" });
  });

  test("refuses a name that is taken", async () => {
    await under.create({ name: "taken" });
    const id = newContainerId();
    const outcome = await under.perform(id, createVerb(id, { name: "taken" }));
    expect(failureOf(outcome)).toMatchObject({ code: "NAME_IN_USE" });
  });

  test("O141: refuses a dependency that does not exist", async () => {
    const id = newContainerId();
    const outcome = await under.perform(id, createVerb(id, { dependencies: [newContainerId()] }));
    expect(failureOf(outcome)).toMatchObject({ code: "CONTAINER_NOT_FOUND" });
  });

  test("S7: refuses a container that depends on itself", async () => {
    const id = newContainerId();
    const outcome = await under.perform(id, createVerb(id, { dependencies: [id] }));
    expect(failureOf(outcome)).toMatchObject({ code: "DEPENDENCY_CYCLE" });
    expect(failureOf(outcome).message).toContain(id);
  });
});

describe("init", () => {
  test("S1, O128, O129: makes a process that has not run the command", async () => {
    const id = await under.create({ command: ["sh", "-c", "echo ran; sleep 600"] });
    const created = await under.do(id, init);
    expect(created).toMatchObject({ state: "created", run: 0, pid: expect.any(Number) });
    expect(await under.output(id)).toBe("");
    const { paths } = await under.engine.inspect(id);
    expect(await readdir(paths.bundle)).toEqual(
      expect.arrayContaining(["hosts", "hostname", "resolv.conf"]),
    );
    const again = failureOf(await under.perform(id, init));
    expect(again.code).toBe("STATE_INVALID");
    expect(again.message).toContain('state is "created"');
    const started = await under.start(id);
    expect(started).toMatchObject({ run: 1, pid: created.pid });
    expect(failureOf(await under.perform(id, init)).code).toBe("STATE_INVALID");
    await under.printed(id, "ran\n");
  });
});

describe("start", () => {
  test("S2: goes through created to running in one call", async () => {
    const id = await under.create();
    const running = await under.start(id);
    expect(running).toMatchObject({ state: "running", run: 1 });
    const states = under.events(id).map(({ container }) => container?.state);
    expect(states).toEqual(["configured", "created", "running"]);
    const last = under.events(id).at(-1);
    expect(last?.operation?.outcome).toEqual({ status: "succeeded", container: running });
    const { paths } = await under.engine.inspect(id);
    expect(paths.rootfs).toContain(id);
  });

  test("S3: an exited container runs afresh with its writable layer", async () => {
    const id = await under.run(
      "cat /kept; echo $$ >> /kept; test $(wc -l < /kept) = 2 && sleep 600; exit 4",
    );
    const first = await under.exited(id);
    expect(first).toMatchObject({ exitCode: 4, exitedRun: 1 });
    expect(first).not.toHaveProperty("pid");
    const second = await under.start(id);
    expect(second).toMatchObject({ state: "running", run: 2, exitCode: 4, exitedRun: 1 });
    await under.printed(id, "1\n");
  });

  test("S4: a running container is left as it is", async () => {
    const id = await under.create();
    const running = await under.start(id);
    const failure = failureOf(await under.perform(id, start));
    expect(failure.code).toBe("STATE_INVALID");
    expect(under.snapshot(id)).toEqual(running);
  });

  test("S5: names the dependencies that do not run", async () => {
    const b = await under.create({ name: "dep-b" });
    const a = await under.create({ dependencies: [b] });
    const failure = failureOf(await under.perform(a, start));
    expect(failure.code).toBe("DEPENDENCY_NOT_RUNNING");
    expect(failure.message).toContain('"dep-b" is "configured"');
    expect(under.snapshot(a).state).toBe("configured");
  });

  test("S6: starts dependencies first, in order, and leaves a running one alone", async () => {
    const c = await under.create();
    const d = await under.create();
    const b = await under.create({ dependencies: [c, d] });
    const a = await under.create({ dependencies: [b] });
    const running = await under.start(d);
    await under.start(a, true);
    const order = under.engine.outbox
      .after(0, 10_000)
      .filter(({ type, containerId }) => type === "container.start" && containerId)
      .map(({ containerId }) => containerId)
      .slice(-3);
    expect(order).toEqual([c, b, a]);
    expect(under.snapshot(d)).toEqual(running);
  });

  test.each([
    ["S8: that does not exist", ["/no/such"], "COMMAND_NOT_FOUND", "/no/such"],
    ["S8: that is not on the PATH", ["nosuch"], "COMMAND_NOT_FOUND", "nosuch"],
    [
      "S9: that is not executable",
      ["/etc/not-executable"],
      "COMMAND_NOT_EXECUTABLE",
      "/etc/not-exec",
    ],
    ["S9: that is a directory", ["/etc"], "COMMAND_NOT_EXECUTABLE", "/etc"],
  ])("a command %s fails and leaves nothing", async (_name, command, code, text) => {
    const id = await under.create({ command });
    const failure = failureOf(await under.perform(id, start));
    expect(failure).toMatchObject({ code, message: expect.stringContaining(text) });
    expect(under.snapshot(id)).toMatchObject({ state: "configured", error: failure.message });
    expect(under.snapshot(id)).not.toHaveProperty("pid");
    await waitFor(
      async () => {
        const leaks = await findLeaks(under.options.dataRoot, under.options.cgroupParent);
        return !leaks.some((leak) => leak.includes(id));
      },
      { what: "the container's remains to go" },
    );
  });

  test("S10: a workdir that does not exist is named; the image's own is created", async () => {
    const missing = await under.create({ workdir: "/no/such/dir" });
    expect(failureOf(await under.perform(missing, start)).message).toContain("/no/such/dir");
    await under.load({ name: "localhost/workdir:1", config: { WorkingDir: "/made/here" } });
    const id = await under.create({ image: "localhost/workdir:1", command: ["pwd"] });
    await under.start(id);
    await under.exited(id);
    expect(await under.output(id)).toBe("/made/here\n");
  });

  test("S11: of two starts at once one starts it", async () => {
    const id = await under.create();
    const outcomes = await Promise.all([under.perform(id, start), under.perform(id, start)]);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["failed", "succeeded"]);
    const failed = outcomes.find(({ status }) => status === "failed");
    expect(failed && failureOf(failed).code).toBe("STATE_INVALID");
    expect(under.snapshot(id).run).toBe(1);
  });

  test("S12: argv is entrypoint and command; an empty entrypoint clears the image's", async () => {
    await under.load({
      name: "localhost/entry:1",
      config: { Entrypoint: ["echo", "from-image"], Cmd: ["default"] },
    });
    const image = "localhost/entry:1";
    const printed = async (spec: { entrypoint?: string[]; command?: string[] }) => {
      const id = await under.create({ image, command: undefined, ...spec });
      await under.start(id);
      await under.exited(id);
      return await under.output(id);
    };
    expect(await printed({})).toBe("from-image default\n");
    expect(await printed({ command: ["mine"] })).toBe("from-image mine\n");
    expect(await printed({ entrypoint: ["echo", "own"], command: ["x"] })).toBe("own x\n");
    expect(await printed({ entrypoint: [], command: ["echo", "bare"] })).toBe("bare\n");
  });

  test.each([
    ["app", "1000:1000"],
    ["1000", "1000:1000"],
    ["7:8", "7:8"],
    ["app:staff", "1000:50"],
  ])("S13: user %s is looked up in the image", async (user, expected) => {
    const id = await under.run("echo $(id -u):$(id -g)", { user });
    await under.exited(id);
    expect(await under.output(id)).toBe(`${expected}\n`);
  });

  test("S13: an unknown user is an error before the runtime is called", async () => {
    const id = await under.create({ user: "nosuch" });
    const failure = failureOf(await under.perform(id, start));
    expect(failure).toMatchObject({
      code: "INVALID_INPUT",
      message: expect.stringContaining("nosuch"),
    });
    expect(under.events(id).map(({ type }) => type)).toEqual([
      "container.create",
      "operation.finished",
    ]);
  });

  test("O130: an init is the first process, which passes signals on and reaps orphans", async () => {
    const script = "(sleep 0.01 &); trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    const command = ["sh", "-c", script];
    const id = await under.create({ command, init: true, user: "app", readOnlyRoot: true });
    await under.start(id);
    await under.printed(id, "ready");
    expect((await exec(under, id, "cat /proc/1/comm")).stdout).toBe("podfleet-init\n");
    const processes = async (of: ContainerId) => (await exec(under, of, "ps -o stat,comm")).stdout;
    await eventually(async () => expect(await processes(id)).not.toMatch(/^Z/m));
    expect(await under.stop(id)).toMatchObject({ exitCode: 3 });
    const orphans = "sh -c '(sleep 0.01 &)'; exec sleep 600";
    const bare = await under.run(orphans);
    const reaped = await under.run(orphans, { init: true });
    await eventually(async () => expect(await processes(bare)).toMatch(/^Z +sleep$/m));
    // One sleeps on; the orphan has gone altogether.
    await eventually(async () => {
      expect((await processes(reaped)).match(/^\S+ +sleep$/gm)).toHaveLength(1);
    });
    const changes = await receive(under, { kind: "diff", containerId: reaped });
    expect(changes.toString()).not.toContain("podfleet-init");
  });

  test("S14: environment defaults, and the spec's over the image's", async () => {
    await under.load({ name: "localhost/env:1", config: { Env: ["A=image", "B=image"] } });
    const id = await under.run("env", {
      image: "localhost/env:1",
      env: { A: "1" },
      hostname: "h1",
    });
    await under.exited(id);
    const env = (await under.output(id)).split("\n");
    expect(env).toEqual(expect.arrayContaining(["A=1", "B=image", "HOSTNAME=h1", "HOME=/root"]));
    expect(env.some((line) => line.startsWith("PATH=/"))).toBe(true);
    expect(env.some((line) => line.startsWith("TERM="))).toBe(false);
    const tty = await under.run("env", { tty: true });
    await under.exited(tty);
    expect(await under.output(tty)).toContain("TERM=xterm");
  });
});

describe("operations", () => {
  test("a duplicate joins or gets the stored outcome; the same id for another action is a conflict", async () => {
    const id = await under.create();
    const operationId = newOperationId();
    const request = { operationId, action: { ...start, containerId: id } };
    const [first, second] = await Promise.all([
      under.engine.perform(request),
      under.engine.perform(request),
    ]);
    expect(second).toEqual(first);
    expect(await under.engine.perform(request)).toEqual(first);
    expect(under.snapshot(id).run).toBe(1);
    expect(under.engine.settle(operationId)).toEqual({ state: "finished", outcome: first });
    const other = { operationId, action: { ...init, containerId: id } };
    await expect(under.engine.perform(other)).rejects.toMatchObject({ code: "CONFLICT" });
  });

  test("an operation whose outcome may have been forgotten is refused", async () => {
    const id = await under.create();
    const operationId = operationIdSchema.parse("01900000-0000-7000-8000-000000000000");
    const outcome = await under.engine.perform({
      operationId,
      action: { ...start, containerId: id },
    });
    expect(failureOf(outcome)).toMatchObject({
      code: "INVALID_INPUT",
      message: expect.stringContaining("at most 7 days old"),
    });
    expect(under.snapshot(id).state).toBe("configured");
  });

  test("an operation that was asked about before it came never takes effect", async () => {
    const id = await under.create();
    const operationId = newOperationId();
    expect(under.engine.settle(operationId)).toEqual({ state: "unknown" });
    const outcome = await under.engine.perform({
      operationId,
      action: { ...start, containerId: id },
    });
    expect(failureOf(outcome).code).toBe("CANCELLED");
    expect(under.snapshot(id).state).toBe("configured");
    expect(under.engine.settle(operationId)).toEqual({ state: "unknown" });
  });
});
