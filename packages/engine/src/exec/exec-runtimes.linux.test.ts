/** Tests of what conmon and the OCI runtime do for an exec session, on every runtime. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { ContainerId } from "@podfleet/model/ids";
import { runtimeNames } from "@podfleet/oci/runtime/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { EngineUnderTest } from "../test-engine.ts";
import { ended, exec, start, startFailure } from "../test-exec.ts";

describe.each(runtimeNames)("%s", (runtime) => {
  let under: EngineUnderTest;
  let id: ContainerId;

  beforeAll(async () => {
    under = await EngineUnderTest.open(runtime);
    id = await under.run("sleep 600");
  });

  afterAll(async () => {
    await under[Symbol.asyncDispose]();
  });

  test("E1, O1: streams and exit code", async () => {
    const ran = await exec(under, id, "echo out; echo err >&2; exit 42");
    expect(ran).toMatchObject({ stdout: "out\n", stderr: "err\n", session: { exitCode: 42 } });
  });

  test.each([
    ["COMMAND_NOT_FOUND", { command: ["nosuch"] }],
    ["COMMAND_NOT_FOUND", { command: ["/bin/nosuch"] }],
    ["COMMAND_NOT_EXECUTABLE", { command: ["/etc"] }],
    ["COMMAND_NOT_EXECUTABLE", { command: ["/etc/passwd"] }],
    ["INVALID_INPUT", { workdir: "/no/where" }],
  ])("E2: %s for %j", async (code, spec) => {
    expect((await startFailure(under, id, "true", spec)).code).toBe(code);
    expect(under.engine.execs.list(id).filter(({ state }) => state !== "exited")).toEqual([]);
  });

  test("E4: user, environment, workdir, all capabilities", async () => {
    const script = "id -u; echo $A; pwd; grep CapEff /proc/self/status | cut -f2";
    const spec = { env: { A: "b" }, workdir: "/tmp", privileged: true };
    const own = /^CapBnd:\s*(\w+)$/m.exec(await readFile("/proc/self/status", "utf8"))?.[1];
    expect((await exec(under, id, script, spec)).stdout).toBe(`0\nb\n/tmp\n${own}\n`);
    expect((await exec(under, id, "id -u", { user: "app" })).stdout).toBe("1000\n");
  });

  test("E8: a killed session has its signal's code", async () => {
    const session = await start(under, id, "exec sleep 60");
    await under.perform(id, { verb: "exec.kill", execId: session.id, signal: 9 });
    expect((await ended(under, session)).session.exitCode).toBe(137);
  });

  test("E9: further descriptors", async () => {
    const { session } = await exec(under, id, "echo three >&3; echo four >&4", { preserveFds: 2 });
    const kept = join(under.options.dataRoot, "execs", session.id);
    expect(await readFile(join(kept, "fd-3"), "utf8")).toBe("three\n");
    expect(await readFile(join(kept, "fd-4"), "utf8")).toBe("four\n");
  });

  test("a terminal", async () => {
    expect((await exec(under, id, "tty", { tty: true })).stdout).toBe("/dev/pts/0\r\n");
  });

  test("input that is kept open does not end, and without it ends at once", async () => {
    const session = await start(under, id, "cat", { stdin: true });
    const kill = { verb: "exec.kill", execId: session.id, signal: 15 } as const;
    expect((await under.perform(id, kill)).status).toBe("succeeded");
    expect((await ended(under, session)).session.exitCode).toBe(143);
    expect((await exec(under, id, "cat")).session.exitCode).toBe(0);
  });

  test("E7: the container's stop", async () => {
    const session = await start(under, id, "echo before; sleep 60");
    await under.stop(id, 0);
    expect(await ended(under, session)).toMatchObject({ session: { exitCode: 137 } });
  });
});
