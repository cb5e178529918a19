import { readFile } from "node:fs/promises";
import { constants } from "node:os";

import { newContainerId } from "@podfleet/model/ids";
import { HeldClock } from "@podfleet/testkit/held-clock";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { EngineUnderTest, failureOf } from "../test-engine.ts";

let under: EngineUnderTest;

/** Timeouts of stops, which are over when a test says so. */
const defaultMs = 10_000;
const timeoutSeconds = 7;
const timeoutMs = timeoutSeconds * 1_000;
const clock = new HeldClock(defaultMs, timeoutMs);

beforeAll(async () => {
  under = await EngineUnderTest.open();
  await under.reopen({ clock });
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

/** A script that ends with `code` on a signal, and says when it is ready for it. */
function trapping(signal: string, action: string): string {
  return `trap '${action}' ${signal}; echo ready; while :; do sleep 0.05; done`;
}

async function runReady(script: string, spec = {}) {
  const id = await under.run(script, spec);
  await under.printed(id, "ready");
  return id;
}

const stop = { verb: "container.stop" } as const;

describe("stop", () => {
  test("T1, O91: a process that exits on TERM ends with its own code, whatever is left of the timeout", async () => {
    const id = await runReady(trapping("TERM", "echo leaving; exit 3"));
    const stopped = await under.stop(id, timeoutSeconds);
    expect(stopped).toMatchObject({ state: "exited", exitCode: 3, stoppedByUser: true });
    expect(await under.output(id)).toBe("ready\nleaving\n");
    expect(under.events(id).map(({ type }) => type)).toEqual([
      "container.create",
      "container.init",
      "container.start",
      "container.died",
      "container.cleanup",
      "container.stop",
    ]);
  });

  test("T2: one that ignores TERM is killed after the timeout", async () => {
    const id = await runReady(trapping("TERM", "echo caught"));
    const stopping = under.stop(id, timeoutSeconds);
    const endTimeout = await clock.sleeping(timeoutMs);
    await under.printed(id, "caught");
    expect(under.snapshot(id).state).toBe("running");
    endTimeout();
    expect(await stopping).toMatchObject({ state: "exited", exitCode: 137 });
  });

  test("O92: the timeout is ten seconds by default", async () => {
    const id = await runReady(trapping("TERM", ":"));
    const stopping = under.stop(id);
    const endTimeout = await clock.sleeping(defaultMs);
    endTimeout();
    expect(await stopping).toMatchObject({ state: "exited", exitCode: 137 });
  });

  test("T3: timeout 0 kills at once", async () => {
    const id = await runReady(trapping("TERM", "echo caught"));
    expect((await under.stop(id, 0)).exitCode).toBe(137);
    expect(await under.output(id)).toBe("ready\n");
  });

  test("T4, O98: the stop signal of the spec, else of the image, is what the process sees", async () => {
    const own = await runReady(trapping("QUIT", "exit 9"), { stopSignal: "QUIT" });
    expect((await under.stop(own)).exitCode).toBe(9);
    await under.load({ name: "localhost/usr2:1", config: { StopSignal: "SIGUSR2" } });
    const image = await runReady(trapping("USR2", "exit 8"), { image: "localhost/usr2:1" });
    expect((await under.stop(image)).exitCode).toBe(8);
  });

  test("T5, O97: an exited container has already stopped", async () => {
    const id = await under.run("exit 0");
    const exited = await under.exited(id);
    expect(failureOf(await under.perform(id, stop)).code).toBe("ALREADY_STOPPED");
    expect(under.snapshot(id)).toEqual(exited);
  });

  test("T6: a configured container cannot be stopped", async () => {
    const id = await under.create();
    const failure = failureOf(await under.perform(id, stop));
    expect(failure).toMatchObject({ code: "STATE_INVALID" });
    expect(failure.message).toContain('"configured"');
  });

  test("T7: a created container ends stopped with nothing left of it", async () => {
    const id = await under.create({ command: ["echo", "ran"] });
    await under.do(id, { verb: "container.init" });
    const stopped = await under.stop(id);
    expect(stopped).toMatchObject({ state: "exited", run: 0, exitedRun: 0 });
    expect(stopped).not.toHaveProperty("exitCode");
    expect(await under.output(id)).toBe("");
    await nothingLeft(id);
    expect(await under.start(id)).toMatchObject({ state: "running", run: 1 });
  });

  test("T13: children that outlive the first process are ended", async () => {
    const id = await runReady("sleep 601 & sleep 601 & echo ready; trap 'exit 0' TERM; wait");
    const { pid } = under.snapshot(id);
    await under.stop(id);
    await nothingLeft(id);
    await expect(readFile(`/proc/${pid}/stat`)).rejects.toThrow("ENOENT");
  });

  test("T14: of two stops at once one signal is sent, and both end when it has stopped", async () => {
    const id = await runReady(trapping("TERM", "echo caught"));
    const twice = { ...stop, timeoutSeconds };
    const both = Promise.all([under.perform(id, twice), under.perform(id, twice)]);
    const endTimeout = await clock.sleeping(timeoutMs);
    await under.printed(id, "caught");
    endTimeout();
    expect((await both).map(({ status }) => status)).toEqual(["succeeded", "succeeded"]);
    expect((await under.output(id)).match(/caught/g)).toHaveLength(1);
  });

  test("T15: reads are answered while a stop waits", async () => {
    const id = await runReady(trapping("TERM", ":"));
    const stopping = under.stop(id, timeoutSeconds);
    const endTimeout = await clock.sleeping(timeoutMs);
    const [inspected, waited] = await Promise.all([
      under.engine.inspect(id),
      under.engine.wait({ containerId: id, condition: "running", timeoutMs: 0 }),
      under.output(id),
    ]);
    expect(inspected.container.state).toBe("running");
    expect(waited.state).toBe("met");
    endTimeout();
    await stopping;
  });
});

test("a stopped container is removed when it was to be after its run", async () => {
  const id = await under.create({ autoRemove: true });
  await under.start(id);
  const removed = under.engine.wait({ containerId: id, condition: "removed", timeoutMs: 10_000 });
  expect((await under.stop(id, 0)).state).toBe("exited");
  expect(await removed).toMatchObject({ state: "met", exitCode: 137 });
});

describe("kill", () => {
  test("T8: SIGKILL ends it with 137, and its user did it", async () => {
    const id = await under.create();
    await under.start(id);
    await under.kill(id, 9);
    const exited = await under.exited(id);
    expect(exited).toMatchObject({ exitCode: 137, stoppedByUser: true });
    const killed = under.events(id).find(({ type }) => type === "container.kill");
    expect(killed?.attributes).toEqual({ signal: 9 });
  });

  test("T9: another signal reaches the process, which goes on", async () => {
    const id = await runReady(trapping("USR1", "echo got"));
    await under.kill(id, 10);
    await under.printed(id, "got");
    expect(under.snapshot(id).state).toBe("running");
  });

  test("T10, O103: a container that does not run cannot be killed", async () => {
    const id = await under.create();
    const outcome = await under.perform(id, { verb: "container.kill", signal: 9 });
    expect(failureOf(outcome).code).toBe("STATE_INVALID");
    const nobody = await under.perform(newContainerId(), { verb: "container.kill", signal: 9 });
    expect(failureOf(nobody).code).toBe("CONTAINER_NOT_FOUND");
  });

  test("O102: what the process ignores leaves it running, what it does not ends it", async () => {
    const id = await runReady(trapping("TERM", "exit 0"));
    await under.kill(id, constants.signals.SIGWINCH);
    expect(under.snapshot(id).state).toBe("running");
    await under.kill(id, constants.signals.SIGTERM);
    expect(await under.exited(id)).toMatchObject({ exitCode: 0 });
    const exited = await under.perform(id, { verb: "container.kill", signal: 9 });
    expect(failureOf(exited)).toMatchObject({
      code: "STATE_INVALID",
      message: expect.stringContaining('"exited"'),
    });
  });

  test("O105: a container that was killed for memory says so", async () => {
    const hungry = "x=a; while :; do x=$x$x; done";
    const id = await under.run(hungry, { resources: { memoryBytes: 32 * 1024 * 1024 } });
    expect(await under.exited(id)).toMatchObject({ oomKilled: true, exitCode: 137 });
    const died = under.events(id).find(({ type }) => type === "container.died");
    expect(died?.attributes).toEqual({ exitCode: 137, oomKilled: true });
    const plain = await under.create();
    await under.start(plain);
    await under.kill(plain, 9);
    expect(await under.exited(plain)).toMatchObject({ oomKilled: false, exitCode: 137 });
  });
});

async function nothingLeft(id: string): Promise<void> {
  const { dataRoot, runRoot, cgroupParent } = under.options;
  await waitFor(
    async () => {
      const leaks = [...(await findLeaks(dataRoot, cgroupParent)), ...(await findLeaks(runRoot))];
      return !leaks.some((leak) => leak.includes(id));
    },
    { what: `the remains of ${id} to go` },
  );
}
