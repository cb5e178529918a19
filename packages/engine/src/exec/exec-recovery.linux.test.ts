import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";

import { type ContainerId, newOperationId } from "@podfleet/model/ids";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { performAndCrash } from "../test-crashing-engine.ts";
import { EngineUnderTest } from "../test-engine.ts";
import { ended, exec, newExecId, output, start, startVerb } from "../test-exec.ts";

let under: EngineUnderTest;
let id: ContainerId;

beforeAll(async () => {
  under = await EngineUnderTest.open();
  id = await under.run("sleep 600");
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

describe("the agent ends while a session runs", () => {
  test("the next one finds it running, and its end", async () => {
    const session = await start(
      under,
      id,
      "echo one; until [ -e /go ]; do sleep 0.05; done; echo two; exit 7",
    );
    await under.reopen();
    expect(inspect(session.id)).toMatchObject({ state: "running", pid: session.pid });
    await exec(under, id, "touch /go");
    expect(await ended(under, session)).toMatchObject({
      stdout: "one\ntwo\n",
      session: { exitCode: 7 },
    });
  });

  test("an end that came meanwhile is found with its code", async () => {
    const session = await start(under, id, "until [ -e /over ]; do sleep 0.02; done; exit 8");
    await under.close();
    await under.touch(id, "/over");
    const exit = join(under.options.runRoot, "execs", session.id, "exit", id);
    await waitFor(async () => (await readdir(join(exit, ".."))).length > 0, { what: "the exit" });
    await under.reopen();
    expect(inspect(session.id)).toMatchObject({ state: "exited", exitCode: 8 });
  });
});

test("what a session needed goes when the agent was killed before it had removed it", async () => {
  const { session } = await exec(under, id, "true");
  await under.close();
  const bundles = join(under.options.runRoot, "execs");
  await mkdir(join(bundles, session.id, "exit"), { recursive: true });
  await mkdir(join(bundles, newExecId()));
  await under.reopen();
  expect(await readdir(bundles)).toEqual([]);
});

describe("the agent is killed while it starts a session", () => {
  test.each([0, 10, 25, 50, 75, 100])("after %i ms", async (killAfterMs) => {
    await under.close();
    const execId = newExecId();
    const action = { ...startVerb(execId, "echo ran; exit 4"), containerId: id };
    const request = { operationId: newOperationId(), action };
    const { dataRoot, runRoot, cgroupParent, runtime } = under.options;
    const options = { dataRoot, runRoot, cgroupParent, runtime };
    await performAndCrash({ options, requests: [request], killAfterMs });
    await under.reopen();
    const outcome = await under.engine.perform(request as never);
    const { execs } = under.engine;
    const session = await execs.wait({ containerId: id, execId, timeoutMs: 10_000 });
    expect(session.state).toBe("exited");
    // A monitor that could not tell the agent about the command ends, and the exit code is lost with it.
    expect([4, undefined]).toContain(session.exitCode);
    expect(session.exitUnknown).toBe(session.exitCode === undefined);
    expect(outcome.status === "failed" && outcome.error.code).toSatisfy(
      (code) => code === false || (code === "INTERRUPTED" && session.exitUnknown),
    );
    expect(["ran\n", ""]).toContain(await output(under, execId));
    const bundles = join(runRoot, "execs");
    await waitFor(async () => !(await findLeaks(bundles)).some((leak) => leak.includes(execId)), {
      what: "the session's processes to end",
    });
  });
});

describe("a session's monitor is killed", () => {
  test("it has ended, how is unknown, and its process is gone", async () => {
    const session = await start(under, id, "exec sleep 623");
    const monitors = await findLeaks(join(under.options.runRoot, "execs", session.id));
    const [monitor] = monitors.map((leak) => Number(/^process (\d+)/.exec(leak)?.[1]));
    process.kill(monitor ?? 0, "SIGKILL");
    const { session: last } = await ended(under, session);
    expect(last).toMatchObject({ state: "exited", exitUnknown: true });
    expect(last).not.toHaveProperty("exitCode");
    expect((await exec(under, id, "ps")).stdout).not.toContain("sleep 623");
  });
});

function inspect(execId: ReturnType<typeof newExecId>) {
  return under.engine.execs.inspect({ containerId: id, execId });
}
