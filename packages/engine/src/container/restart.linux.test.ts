import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import type { RestartPolicy } from "@podfleet/model/container/restart-policy";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { type ExecSession, execSpecSchema } from "@podfleet/model/exec";
import type { ContainerId } from "@podfleet/model/ids";
import { newOperationId } from "@podfleet/model/ids";
import { findStartTicks } from "@podfleet/oci/process/process-identity";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { StateStore } from "../state/state-store.ts";
import { EngineUnderTest, failureOf } from "../test-engine.ts";
import { newExecId, start } from "../test-exec.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const restart = { verb: "container.restart" } as const;
const cleanup = { verb: "container.cleanup" } as const;
const onFailure: RestartPolicy = { name: "on-failure" };
const always: RestartPolicy = { name: "always" };

/** Resolves when the container is as `is` has it. */
async function becomes(
  id: ContainerId,
  is: (snapshot: ContainerSnapshot) => boolean,
  what: string,
): Promise<ContainerSnapshot> {
  await waitFor(() => is(under.snapshot(id)), { what, timeoutMs: 15_000 });
  return under.snapshot(id);
}

function typesOf(id: ContainerId): string[] {
  return under.events(id).map(({ type }) => type);
}

describe("restart", () => {
  test("T12: a running container is stopped and started, in one operation", async () => {
    const id = await under.run("echo ran; exec sleep 600");
    const before = under.snapshot(id);
    const operationId = newOperationId();
    const action = { ...restart, timeoutSeconds: 0, containerId: id };
    await under.engine.perform({ operationId, action });
    const after = under.snapshot(id);
    expect(after).toMatchObject({ state: "running", run: 2, stoppedByUser: false });
    expect(after).toMatchObject({ restartCount: 0, exitCode: 137, exitedRun: 1 });
    expect(after.pid).not.toBe(before.pid);
    const events = under.events(id).filter(({ operation }) => operation?.id === operationId);
    expect(events.map(({ type }) => type)).toEqual([
      "container.died",
      "container.cleanup",
      "container.stop",
      "container.init",
      "container.start",
    ]);
  });

  test("T12, O80: an exited, a configured and a created container are started; the output of each run is kept", async () => {
    const id = await under.create({ command: ["sh", "-c", "echo ran; exec sleep 600"] });
    expect(await under.do(id, restart)).toMatchObject({ state: "running", run: 1 });
    await under.printed(id, "ran\n");
    await under.stop(id, 0);
    expect(await under.do(id, restart)).toMatchObject({ state: "running", run: 2 });
    await under.printed(id, "ran\nran\n");
    await under.stop(id, 0);
    await under.do(id, { verb: "container.init" });
    expect(await under.do(id, restart)).toMatchObject({ state: "running", run: 3 });
  });

  test("a paused container is not restarted", async () => {
    const id = await under.create();
    await under.start(id);
    await under.do(id, { verb: "container.pause" });
    expect(failureOf(await under.perform(id, restart)).code).toBe("STATE_INVALID");
  });
});

describe("restart policy", () => {
  test("Q1: on-failure:2 runs three times with growing delays, then stays exited", async () => {
    const id = await under.run("echo ran; exit 1", {
      restartPolicy: { name: "on-failure", retriesMax: 2 },
    });
    const ended = await becomes(
      id,
      ({ run, state, restartAt }) => run === 3 && state === "exited" && restartAt === undefined,
      "the third run to end",
    );
    expect(ended).toMatchObject({ restartCount: 2, restartDelayMs: 200, exitCode: 1 });
    expect(await under.output(id)).toBe("ran\n".repeat(3));
  });

  test("Q2, O67: on-failure leaves a success alone", async () => {
    const id = await under.run("exit 0", { restartPolicy: onFailure });
    const exited = await under.exited(id);
    expect(exited).toMatchObject({ restartCount: 0 });
    expect(exited).not.toHaveProperty("restartAt");
  });

  test("O64: always restarts after success", async () => {
    const id = await under.run("exit 0", { restartPolicy: always });
    const ended = await becomes(id, ({ restartCount }) => restartCount >= 2, "two restarts");
    expect(ended.run).toBeGreaterThan(2);
  });

  test("O65, T8: what a user stops or kills stays stopped", async () => {
    for (const verb of ["stop", "kill"] as const) {
      const id = await under.create({ restartPolicy: always });
      await under.start(id);
      await (verb === "stop" ? under.stop(id, 0) : under.kill(id, 9));
      const exited = await under.exited(id);
      expect(exited).toMatchObject({ stoppedByUser: true, restartCount: 0, exitCode: 137 });
      expect(exited).not.toHaveProperty("restartAt");
    }
  });

  test("O72: one that exits on the signal of a kill keeps its own code and stays stopped", async () => {
    const script = "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done";
    const id = await under.run(script, { restartPolicy: always });
    await under.printed(id, "ready");
    await under.kill(id, 15);
    expect(await under.exited(id)).toMatchObject({ exitCode: 42, stoppedByUser: true });
    expect(under.snapshot(id)).not.toHaveProperty("restartAt");
  });

  test("O70: an explicit restart does not count, one after the process was killed does", async () => {
    const id = await under.create({ restartPolicy: always });
    await under.start(id);
    const { pid } = await under.do(id, { ...restart, timeoutSeconds: 0 });
    process.kill(pid ?? 0, "SIGKILL");
    const running = await becomes(id, ({ run }) => run === 3, "the restart");
    expect(running).toMatchObject({ state: "running", restartCount: 1 });
    await under.stop(id, 0);
    expect(await under.start(id)).toMatchObject({ restartCount: 0 });
  });

  test("W4: a wait returns the code of the run that was current when it began", async () => {
    const script =
      "until [ -e /go ]; do sleep 0.02; done; echo run >> /runs; exit $(wc -l < /runs)";
    const id = await under.run(script, { restartPolicy: always });
    const waiting = under.engine.wait({ containerId: id, condition: "exit", timeoutMs: 10_000 });
    await under.touch(id, "/go");
    expect(await waiting).toMatchObject({ state: "met", run: 1, exitCode: 1 });
  });

  test("a stop between two runs takes back the next", async () => {
    const id = await under.run("exit 1", { restartPolicy: always });
    await becomes(id, isDelayed, "a long delay");
    const stopped = await under.stop(id);
    expect(stopped).toMatchObject({ state: "exited", stoppedByUser: true });
    expect(stopped).not.toHaveProperty("restartAt");
    const again = await under.perform(id, { verb: "container.stop" });
    expect(failureOf(again).code).toBe("ALREADY_STOPPED");
  });

  test("C4: a cleanup between two runs restarts instead", async () => {
    const id = await under.run("exit 1", { restartPolicy: onFailure });
    const { restartCount } = await becomes(id, isDelayed, "a long delay");
    expect(await under.do(id, cleanup)).toMatchObject({ restartCount: restartCount + 1 });
  });

  test("a start that fails is one more failure", async () => {
    const source = join(under.options.dataRoot, "source");
    await mkdir(source);
    const id = await under.run("exit 1", {
      mounts: [{ type: "bind", source, destination: "/source" }],
      restartPolicy: { name: "on-failure", retriesMax: 3 },
    });
    await rm(source, { recursive: true });
    const ended = await becomes(
      id,
      ({ state, restartAt, run }) => run > 0 && state === "exited" && restartAt === undefined,
      "it to give up",
    );
    expect(ended.restartCount).toBe(3);
    expect(ended.error).toContain(source);
    expect(typesOf(id)).toContain("container.restart-failed");
  });

  test("Q3: one that a user stopped is not started when the agent is", async () => {
    const stopped = await under.create({ restartPolicy: always });
    await under.start(stopped);
    await under.stop(stopped, 0);
    const due = await under.run("exit 1", { restartPolicy: always });
    const { run } = await becomes(due, isDelayed, "a long delay");
    await under.reopen();
    await becomes(due, (snapshot) => snapshot.run > run, "the restart that was due");
    expect(under.snapshot(stopped)).toMatchObject({ state: "exited", run: 1 });
    await under.stop(due).catch(() => under.stop(due));
  });

  test("X5: one whose monitor is killed while it is paused ends, and is restarted", async () => {
    const id = await under.create({ restartPolicy: always });
    await under.start(id);
    await under.do(id, { verb: "container.pause" });
    process.kill(under.snapshot(id).monitorPid ?? 0, "SIGKILL");
    const running = await becomes(id, ({ run }) => run === 2, "the restart");
    expect(running).toMatchObject({ state: "running", restartCount: 1, exitUnknown: true });
  });

  test("Q4: after a reboot those that ran are started again, by their policy", async () => {
    const ids = await Promise.all(
      [always, { name: "unless-stopped" } as const, onFailure, { name: "no" } as const].map(
        async (restartPolicy) => {
          const id = await under.create({ restartPolicy });
          await under.start(id);
          return id;
        },
      ),
    );
    const pids = ids.map((id) => under.snapshot(id));
    await under.close();
    for (const { pid, monitorPid } of pids) {
      process.kill(monitorPid ?? 0, "SIGKILL");
      process.kill(pid ?? 0, "SIGKILL");
    }
    forgetBoot(join(under.options.dataRoot, "engine.sqlite"));
    await under.reopen();
    for (const id of ids.slice(0, -1)) {
      const running = await becomes(id, ({ state }) => state === "running", "the restart");
      expect(running).toMatchObject({ run: 2, restartCount: 1, exitUnknown: true });
    }
    expect(await under.exited(ids.at(-1) as ContainerId)).toMatchObject({ exitUnknown: true });
  });
});

/** It is about to be started again, and that is long enough away for what a test does meanwhile. */
function isDelayed({ restartDelayMs = 0, restartAt }: ContainerSnapshot): boolean {
  return restartDelayMs >= 1_600 && restartAt !== undefined;
}

/** Makes the next engine believe that the host has booted since. */
function forgetBoot(path: string): void {
  const store = StateStore.open(path, systemClock);
  store.saveBootId("the one before");
  store.close();
}

/** Puts a session on record that is its own monitor. */
function recordRunning(path: string, session: ExecSession): void {
  const store = StateStore.open(path, systemClock);
  const ticks = findStartTicks(session.pid ?? 0);
  const monitor = { monitorPid: session.pid, monitorStartTicks: ticks };
  store.execTable.save({ session, processes: { startTicks: ticks, ...monitor } });
  store.close();
}

describe("cleanup", () => {
  test("C1: an exited container is cleaned up once more without harm", async () => {
    const id = await under.run("exit 0");
    await under.exited(id);
    expect(await under.do(id, cleanup)).toMatchObject({ state: "exited", exitCode: 0 });
    expect(await under.do(id, cleanup)).toMatchObject({ state: "exited" });
    const configured = await under.create();
    expect(await under.do(configured, cleanup)).toMatchObject({ state: "configured" });
  });

  test("a created container is configured again", async () => {
    const id = await under.create();
    await under.do(id, { verb: "container.init" });
    const configured = await under.do(id, cleanup);
    expect(configured).toMatchObject({ state: "configured", run: 0 });
    expect(configured).not.toHaveProperty("pid");
    expect(await under.start(id)).toMatchObject({ state: "running", run: 1 });
  });

  test("C3: a session whose command is alive is named and in the way; a dead one is not", async () => {
    const id = await under.run("exit 0");
    const { run } = await under.exited(id);
    const command = spawn("sleep", ["600"]);
    const ended = once(command, "exit");
    const execId = newExecId();
    await under.close();
    recordRunning(join(under.options.dataRoot, "engine.sqlite"), {
      ...{ id: execId, containerId: id, run, pid: command.pid },
      ...{ state: "running", createdAt: new Date().toISOString() },
      ...{ exitUnknown: false, timedOut: false },
      spec: execSpecSchema.parse({ command: ["sleep", "600"] }),
    });
    await under.reopen();
    const refused = failureOf(await under.perform(id, cleanup));
    expect(refused.code).toBe("EXEC_IN_USE");
    expect(refused.message).toContain(execId);
    command.kill("SIGKILL");
    await ended;
    expect(await under.do(id, cleanup)).toMatchObject({ state: "exited" });
    const session = under.engine.execs.inspect({ containerId: id, execId });
    expect(session).toMatchObject({ state: "exited", exitUnknown: true });
  });

  test("C2: one that runs or is paused is not cleaned up", async () => {
    const id = await under.create();
    await under.start(id);
    expect(failureOf(await under.perform(id, cleanup)).code).toBe("STATE_INVALID");
    await under.do(id, { verb: "container.pause" });
    expect(failureOf(await under.perform(id, cleanup)).message).toContain('"paused"');
  });
});

describe("refresh", () => {
  const refresh = { verb: "container.refresh" } as const;

  test("R1: created, running and paused containers are the same again, with a new process", async () => {
    const script = "echo ran; exec sleep 600";
    const id = await under.create({ command: ["sh", "-c", script], stopTimeoutSeconds: 0 });
    const created = await under.do(id, { verb: "container.init" });
    const recreated = await under.do(id, refresh);
    expect(recreated).toMatchObject({ state: "created", run: 0 });
    expect(recreated.pid).not.toBe(created.pid);
    const started = await under.start(id);
    const running = await under.do(id, refresh);
    expect(running).toMatchObject({ state: "running", run: 2, stoppedByUser: false });
    expect(running.pid).not.toBe(started.pid);
    await under.do(id, { verb: "container.pause" });
    expect(await under.do(id, refresh)).toMatchObject({ state: "paused", run: 3 });
    expect(failureOf(await under.perform(id, { verb: "container.pause" })).code).toBe(
      "ALREADY_PAUSED",
    );
    expect(typesOf(id).at(-2)).toBe("container.refresh");
  });

  test("R1: configured and exited ones end configured", async () => {
    const id = await under.create({ command: ["sh", "-c", "exit 3"] });
    expect(await under.do(id, refresh)).toMatchObject({ state: "configured" });
    await under.start(id);
    await under.exited(id);
    expect(await under.do(id, refresh)).toMatchObject({ state: "configured", run: 1, exitCode: 3 });
    expect(await under.start(id)).toMatchObject({ state: "running", run: 2 });
  });

  test("R2: exec sessions are ended with the process, and their ends are reported", async () => {
    const id = await under.create({ stopTimeoutSeconds: 0 });
    await under.start(id);
    const { id: execId } = await start(under, id, "sleep 600");
    await under.do(id, refresh);
    const left = under.engine.execs.inspect({ containerId: id, execId });
    expect(left).toMatchObject({ state: "exited", exitCode: 137 });
    expect(typesOf(id)).toContain("exec.died");
    expect(under.snapshot(id)).toMatchObject({ state: "running", run: 2 });
  });

  test("a refresh that was cut off is carried on, and begins no second run", async () => {
    const id = await under.create({ stopTimeoutSeconds: 0 });
    await under.start(id);
    const operationId = newOperationId();
    const action = { ...refresh, containerId: id };
    const cut = under.engine.perform({ operationId, action }).catch(() => undefined);
    await becomes(id, ({ state }) => state !== "running", "the refresh to begin");
    await under.close();
    await cut;
    await under.reopen();
    const outcome = await under.engine.perform({ operationId, action });
    expect(outcome).toMatchObject({ status: "succeeded" });
    expect(under.snapshot(id)).toMatchObject({ state: "running", run: 2 });
  });
});

describe("rename and update", () => {
  test("a rename changes the record; a name that is taken is refused", async () => {
    const id = await under.create({ name: "before" });
    const renamed = await under.do(id, { verb: "container.rename", name: "after" });
    expect(renamed).toMatchObject({ name: "after" });
    const other = await under.create({ name: "before" });
    const taken = await under.perform(other, { verb: "container.rename", name: "after" });
    expect(failureOf(taken).code).toBe("NAME_IN_USE");
    await under.reopen();
    const { container, spec } = await under.engine.inspect(id);
    expect([container.name, spec.name]).toEqual(["after", "after"]);
  });

  test("O73: a container that is removed when its run ends takes no restart policy", async () => {
    const id = await under.create({ autoRemove: true });
    const update = { verb: "container.update", restartPolicy: always } as const;
    expect(failureOf(await under.perform(id, update)).code).toBe("INVALID_INPUT");
  });

  test("a restart policy that is set later decides about the next end", async () => {
    const id = await under.run("sleep 0.2; exit 1");
    await under.exited(id);
    const policy = { name: "on-failure", retriesMax: 1 } as const;
    await under.do(id, { verb: "container.update", restartPolicy: policy });
    expect(under.snapshot(id)).not.toHaveProperty("restartAt");
    await under.start(id);
    const ended = await becomes(
      id,
      ({ run, state, restartAt }) => run === 3 && state === "exited" && restartAt === undefined,
      "the second run to be followed by a third",
    );
    expect(ended).toMatchObject({ restartCount: 1, specChanges: { restartPolicy: policy } });
  });
});
