import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import type { ContainerId } from "@podfleet/model/ids";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { EngineUnderTest, failureOf } from "../test-engine.ts";
import { ended, exec, newExecId, output, start, startFailure, startVerb } from "../test-exec.ts";

let under: EngineUnderTest;
let web: ContainerId;

beforeAll(async () => {
  under = await EngineUnderTest.open();
  web = await under.run("sleep 600", { name: "web", env: { COLOUR: "blue" } });
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const inContainer = (id: ContainerId) => ({
  exec: async (script: string, spec = {}) => await exec(under, id, script, spec),
});

describe("a command in a running container", () => {
  test("E1: ends with its own code", async () => {
    const { session } = await exec(under, web, "exit 42");
    expect(session).toMatchObject({ state: "exited", exitCode: 42, exitUnknown: false });
    expect(session).not.toHaveProperty("pid");
  });

  test("O1: both streams arrive apart and in full", async () => {
    const ran = await exec(under, web, "echo out; echo err >&2; printf end; exit 5");
    expect(ran).toMatchObject({ stdout: "out\nend", stderr: "err\n", session: { exitCode: 5 } });
  });

  test.each([
    ["E2, O3: a missing command", "COMMAND_NOT_FOUND", { command: ["nosuch"] }, '"nosuch"'],
    ["E2, O3: a missing path", "COMMAND_NOT_FOUND", { command: ["/bin/nosuch"] }, '"/bin/nosuch"'],
    ["E2, O4: a directory", "COMMAND_NOT_EXECUTABLE", { command: ["/etc"] }, '"/etc"'],
    ["E2: a plain file", "COMMAND_NOT_EXECUTABLE", { command: ["/etc/passwd"] }, "/etc/passwd"],
    [
      "O33: a missing command with a terminal",
      "COMMAND_NOT_FOUND",
      { command: ["no"], tty: true },
      "no",
    ],
    ["a missing workdir", "INVALID_INPUT", { workdir: "/no/where" }, '"/no/where"'],
    ["O17: an unknown user", "INVALID_INPUT", { user: "bob" }, '"bob"'],
  ])("%s is refused and leaves no session", async (_name, code, spec, named) => {
    const before = under.engine.execs.list(web).length;
    const failure = await startFailure(under, web, "true", spec);
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(named);
    expect(under.engine.execs.list(web)).toHaveLength(before);
    expect(await bundles()).toEqual([]);
  });

  test("O32: the runtime's reason reaches the caller", async () => {
    const outcome = await under.perform(web, startVerb(newExecId(), "", { command: ["nosuch"] }));
    expect(outcome).toMatchObject({
      status: "failed",
      error: { details: { reason: expect.stringContaining("executable file not found") } },
    });
  });

  test("E4, O2: environment, workdir and user are as asked, the rest as the container's", async () => {
    const script = 'echo "$COLOUR $SIZE $PWD $(id -u):$(id -g) $HOME"';
    const { stdout } = await exec(under, web, script, {
      env: { SIZE: "9" },
      workdir: "/tmp",
      user: "app",
    });
    expect(stdout).toBe("blue 9 /tmp 1000:1000 /home/app\n");
    const over = await exec(under, web, "echo $COLOUR", { env: { COLOUR: "red" } });
    expect(over.stdout).toBe("red\n");
  });

  test("O17, O19: without a user, the container's own with its groups; with one, that one", async () => {
    const id = await under.run("sleep 600", { user: "daemon", groups: ["staff"] });
    const { exec: run } = inContainer(id);
    expect((await run("id -u; id -G")).stdout).toBe("1\n1 50\n");
    expect((await run("id -u; id -G", { user: "0" })).stdout).toBe("0\n0\n");
    expect((await run("id -u; id -g", { user: "0:0" })).stdout).toBe("0\n0\n");
    expect((await run("id -u; id -g", { user: "root:root" })).stdout).toBe("0\n0\n");
    expect((await run("id -u; id -g", { user: "7:8" })).stdout).toBe("7\n8\n");
  });

  test("O21: privileged has every capability, in that session only", async () => {
    const sets = "grep -E '^Cap(Bnd|Eff)' /proc/self/status | cut -f2 | sort -u";
    const own = /^CapBnd:\s*(\w+)$/m.exec(await readFile("/proc/self/status", "utf8"))?.[1];
    expect((await exec(under, web, sets, { privileged: true })).stdout).toBe(`${own}\n`);
    expect((await exec(under, web, sets)).stdout).toBe("00000000800405fb\n");
    const added = await exec(under, web, sets, { capabilitiesAdd: ["NET_ADMIN"] });
    expect(added.stdout).toBe("00000000800415fb\n");
  });

  test("O22: the container's cgroup, limits and filter hold", async () => {
    const id = await under.run("sleep 600", {
      resources: { pidsLimit: 77 },
      rlimits: [{ type: "nofile", soft: 1000, hard: 1000 }],
    });
    const script = "ulimit -n; cat /proc/self/cgroup; grep Seccomp: /proc/self/status";
    const { stdout } = await inContainer(id).exec(script);
    expect(stdout).toMatch(/^1000\n/);
    expect(stdout).toContain(id);
    expect(stdout).toMatch(/Seccomp:\t2/);
  });

  test("O23: TERM is set where a terminal is, and an explicit one wins", async () => {
    const plain = await under.run("sleep 600", { env: { TERM: "" } });
    const unset = { stdout: "\n" };
    expect(await exec(under, web, "echo $TERM")).toMatchObject(unset);
    expect((await exec(under, web, "echo $TERM", { tty: true })).stdout).toBe("xterm\r\n");
    const own = await exec(under, web, "echo $TERM", { tty: true, env: { TERM: "vt100" } });
    expect(own.stdout).toBe("vt100\r\n");
    const terminal = await under.run("sleep 600", { tty: true });
    expect((await exec(under, terminal, "echo $TERM")).stdout).toBe("xterm\n");
    expect(await exec(under, plain, "echo $TERM", { tty: true })).toMatchObject({ stdout: "\r\n" });
  });

  test("O29: a read-only root filesystem does not matter", async () => {
    const id = await under.run("sleep 600", { readOnlyRoot: true });
    expect((await exec(under, id, "touch /x 2>&1 || echo refused")).stdout).toContain("refused");
  });

  test("O30: without a terminal and input, output is exact and input at its end", async () => {
    const ran = await exec(under, web, "cat; echo hello");
    expect(ran).toMatchObject({ stdout: "hello\n", stderr: "" });
  });

  test("E9: descriptors from 3 on are open, and what is written to them is kept apart", async () => {
    const script = "echo three >&3; echo four >&4; ls /proc/self/fd/5 2>&1 | grep -c 'No such'";
    const { session, stdout } = await exec(under, web, script, { preserveFds: 2 });
    expect(session.exitCode).toBe(0);
    expect(stdout).toBe("1\n");
    const kept = join(under.options.dataRoot, "execs", session.id);
    expect(await readFile(join(kept, "fd-3"), "utf8")).toBe("three\n");
    expect(await readFile(join(kept, "fd-4"), "utf8")).toBe("four\n");
    const none = await exec(under, web, "echo three >&3");
    expect(none.session.exitCode).not.toBe(0);
  });

  test("E11: a command that ends at once loses nothing", async () => {
    const bytes = "x".repeat(100);
    for (let round = 0; round < 10; round += 1) {
      const ran = await exec(under, web, "", { command: ["printf", `${bytes}`] });
      expect(ran).toMatchObject({ stdout: bytes, session: { exitCode: 0 } });
    }
  });

  test("O31: one that takes too long is killed, and that is what is known of its end", async () => {
    const { session } = await exec(under, web, "exec sleep 617", { timeoutSeconds: 1 });
    expect(session).toMatchObject({ state: "exited", timedOut: true, exitUnknown: false });
    expect(session).not.toHaveProperty("exitCode");
    await waitFor(async () => !(await exec(under, web, "ps")).stdout.includes("sleep 617"), {
      what: "the end of the command",
    });
  });

  test("a command that leaves a child behind has ended all the same", async () => {
    const ran = await exec(under, web, "sleep 30 & echo done");
    expect(ran).toMatchObject({ stdout: "done\n", session: { exitCode: 0 } });
  });

  test("the events name the session", async () => {
    const { session } = await exec(under, web, "exit 3");
    const about = under.events(web).filter(({ attributes }) => attributes["execId"] === session.id);
    expect(about.map(({ type }) => type)).toEqual(["exec.start", "exec.died"]);
    expect(about[1]?.attributes).toEqual({ execId: session.id, exitCode: 3 });
  });
});

describe("the container's state", () => {
  test("E3, O6: a container that does not run refuses, and names its state", async () => {
    const id = await under.create({ name: "idle" });
    const failure = await startFailure(under, id, "true");
    expect(failure.code).toBe("CANNOT_INVOKE");
    expect(failure.message).toBe(
      'Cannot invoke a command in container "idle": state is "configured", must be one of "running"',
    );
    await under.start(id);
    await under.stop(id, 0);
    expect((await startFailure(under, id, "true")).message).toContain('"exited"');
  });

  test("O7, P3: a paused container refuses, and a session in it stands still until it goes on", async () => {
    const id = await under.run("sleep 600", { name: "still" });
    const session = await start(under, id, "while sleep 0.05; do echo tick; done");
    await printed(session.id, "tick");
    await under.do(id, { verb: "container.pause" });
    const failure = await startFailure(under, id, "true");
    expect(failure.code).toBe("CANNOT_INVOKE");
    expect(failure.message).toContain('state is "paused"');
    const written = await output(under, session.id);
    await under.do(id, { verb: "container.unpause" });
    await waitFor(async () => (await output(under, session.id)).length > written.length, {
      what: "the session to go on",
    });
    await exec(under, id, "true");
    await under.remove(id);
  });

  test("O28: after a restart the command runs in the new process's namespaces", async () => {
    const id = await under.run("sleep 600");
    await exec(under, id, "true");
    await under.stop(id, 0);
    await under.start(id);
    const { session, stdout } = await exec(under, id, "echo $(readlink /proc/1/exe)");
    expect(session.run).toBe(2);
    expect(stdout).toContain("busybox");
  });

  test("E7, O24, O27: a stop ends the sessions, whose output and end are complete", async () => {
    const id = await under.run("sleep 600");
    const session = await start(under, id, "echo before; sleep 60");
    await printed(session.id, "before");
    await under.stop(id, 0);
    const last = under.engine.execs.inspect({ containerId: id, execId: session.id });
    expect(last).toMatchObject({ state: "exited", exitCode: 137 });
    expect(await output(under, session.id)).toBe("before\n");
    const order = under.events(id).map(({ type }) => type);
    expect(order.indexOf("exec.died")).toBeLessThan(order.indexOf("container.cleanup"));
  });

  test("a removed container's sessions can still be asked for their end and output", async () => {
    const id = await under.run("sleep 600");
    const session = await start(under, id, "echo last words; sleep 60");
    await printed(session.id, "last words");
    const waiting = ended(under, session);
    await under.remove(id);
    expect(await waiting).toMatchObject({ stdout: "last words\n", session: { exitCode: 137 } });
    const piece = await under.engine.readJournal({
      ...{ containerId: id, execId: session.id },
      ...{ offset: 0, bytesMax: 65_536, waitMs: 0 },
    });
    expect(piece.ended).toBe(true);
    expect(Buffer.from(piece.bytes).toString()).toContain("last words");
  });
});

describe("sessions", () => {
  test("E6, O13: one that nobody attends to is listed, and its end stays readable", async () => {
    const session = await start(under, web, "until [ -e /tmp/go ]; do sleep 0.05; done; exit 9");
    expect(session).toMatchObject({ state: "running", pid: expect.any(Number) });
    expect(running()).toContain(session.id);
    await exec(under, web, "touch /tmp/go");
    expect((await ended(under, session)).session.exitCode).toBe(9);
    expect(running()).not.toContain(session.id);
    expect(session.id).toMatch(/^[0-9a-f]{64}$/);
  });

  test("E8: a kill of the session ends only its process", async () => {
    const session = await start(under, web, "exec sleep 60");
    const other = await start(under, web, "exec sleep 60");
    const kill = { verb: "exec.kill", signal: 9 } as const;
    const outcome = await under.perform(web, { ...kill, execId: session.id });
    expect(outcome).toMatchObject({ status: "succeeded", exec: { id: session.id } });
    expect((await ended(under, session)).session.exitCode).toBe(137);
    expect(running()).toContain(other.id);
    expect(under.snapshot(web).state).toBe("running");
    const again = failureOf(await under.perform(web, { ...kill, execId: session.id }));
    expect(again).toMatchObject({ code: "STATE_INVALID" });
    expect(again.message).toContain('state is "exited"');
    await under.perform(web, { verb: "exec.remove", execId: other.id, force: true });
  });

  test("another signal reaches the command, which goes on", async () => {
    const script = "trap 'echo got' USR1; echo ready; while :; do sleep 0.05; done";
    const session = await start(under, web, script);
    await printed(session.id, "ready");
    await under.perform(web, { verb: "exec.kill", execId: session.id, signal: 10 });
    await printed(session.id, "got");
    const remove = { verb: "exec.remove", execId: session.id } as const;
    const inUse = failureOf(await under.perform(web, { ...remove, force: false }));
    expect(inUse.code).toBe("EXEC_IN_USE");
    const removed = await under.perform(web, { ...remove, force: true });
    expect(removed).toMatchObject({ status: "succeeded", exec: { exitCode: 137 } });
    const gone = failureOf(await under.perform(web, { ...remove, force: true }));
    expect(gone.code).toBe("EXEC_NOT_FOUND");
    expect(await readdir(join(under.options.dataRoot, "execs"))).not.toContain(session.id);
  });

  test("O16: the id of a session cannot be used for a second one", async () => {
    const execId = newExecId();
    const first = await under.perform(web, startVerb(execId, "echo once"));
    expect(first.status).toBe("succeeded");
    const second = failureOf(await under.perform(web, startVerb(execId, "echo once")));
    expect(second.code).toBe("EXEC_IN_USE");
    await waitFor(async () => (await output(under, execId)) === "once\n", { what: "its output" });
  });

  test("E5: many at once have each their own code and output", async () => {
    const codes = Array.from({ length: 50 }, (_, index) => index + 1);
    const all = await Promise.all(
      codes.map((code) => exec(under, web, `echo ${code}; exit ${code}`)),
    );
    expect(all.map(({ session }) => session.exitCode)).toEqual(codes);
    expect(all.map(({ stdout }) => stdout)).toEqual(codes.map((code) => `${code}\n`));
    expect(running()).toEqual([]);
  });

  test(
    "E10: 200 sessions that have ended leave no process, directory or descriptor",
    {
      timeout: 120_000,
    },
    async () => {
      const id = await under.run("sleep 600");
      const descriptors = async () => (await readdir("/proc/self/fd")).length;
      await exec(under, id, "true");
      const before = await descriptors();
      for (let round = 0; round < 40; round += 1) {
        const five = await Promise.all([1, 2, 3, 4, 5].map(() => exec(under, id, "true")));
        for (const { session } of five) {
          await under.do(id, { verb: "exec.remove", execId: session.id, force: false });
        }
      }
      expect(under.engine.execs.list(id)).toHaveLength(1);
      await waitFor(async () => (await bundles()).length === 0, { what: "the bundles to go" });
      await waitFor(async () => (await descriptors()) <= before, { what: "descriptors to close" });
      await under.remove(id);
      const monitors = async () =>
        (await findLeaks(join(under.options.runRoot, "execs"))).filter((leak) => leak.includes(id));
      await waitFor(async () => (await monitors()).length === 0, { what: "the monitors to end" });
    },
  );

  test("O61: the terminal's size can be set while it is there", async () => {
    const script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done";
    const session = await start(under, web, script, { tty: true });
    await printed(session.id, "ready");
    const { engine } = under;
    const size = { height: 41, width: 83 };
    await engine.execs.resize({ containerId: web, execId: session.id, size });
    expect((await ended(under, session)).stdout).toBe("ready\r\n41 83\r\n");
    const late = engine.execs.resize({ containerId: web, execId: session.id, size });
    await expect(late).rejects.toMatchObject({ code: "STATE_INVALID" });
    const unknown = engine.execs.resize({ containerId: web, execId: newExecId(), size });
    await expect(unknown).rejects.toMatchObject({ code: "EXEC_NOT_FOUND" });
  });
});

function running(): string[] {
  return under.engine.execs
    .list(web)
    .filter(({ state }) => state !== "exited")
    .map(({ id }) => id);
}

async function bundles(): Promise<string[]> {
  return await readdir(join(under.options.runRoot, "execs"));
}

async function printed(id: Parameters<typeof output>[1], text: string): Promise<void> {
  const what = `"${text}" in the output of ${id}`;
  await waitFor(async () => (await output(under, id)).includes(text), { what });
}
