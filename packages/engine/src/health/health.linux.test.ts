import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import type { ContainerId } from "@podfleet/model/ids";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest, failureOf } from "../test-engine.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

type HealthcheckInput = NonNullable<ContainerSpecInput["healthcheck"]>;

/** Checks often, and whether the test has put a file `sick` into the container. */
async function run(
  healthcheck: Partial<HealthcheckInput> = {},
  spec: Partial<ContainerSpecInput> = {},
): Promise<ContainerId> {
  const command = ["sh", "-c", "echo checked >> /checks; echo said; test ! -e /sick"];
  return await under.run("exec sleep 600", {
    healthcheck: { command, intervalMs: 100, retries: 2, ...healthcheck },
    stopTimeoutSeconds: 0,
    ...spec,
  });
}

function inside(id: ContainerId, name: string): string {
  return join(under.options.dataRoot, "containers", id, "rootfs", name);
}

async function checks(id: ContainerId): Promise<number> {
  return (await readFile(inside(id, "checks"), "utf8")).split("\n").length - 1;
}

async function healthIs(id: ContainerId, health: string): Promise<void> {
  await waitFor(() => under.snapshot(id).health === health, {
    what: `"${health}", not "${under.snapshot(id).health}"`,
    timeoutMs: 15_000,
  });
}

async function log(id: ContainerId) {
  return (await under.engine.inspect(id)).healthLog;
}

function healthEvents(id: ContainerId): unknown[] {
  const events = under.events(id).filter(({ type }) => type === "container.health_status");
  return events.map(({ attributes }) => attributes["health"]);
}

const check = { verb: "container.healthcheck" } as const;

test("U1: starting, healthy, unhealthy after the retries; an event for each change; the last five results are kept", async () => {
  const id = await run();
  expect(under.snapshot(id).health).toBe("starting");
  await healthIs(id, "healthy");
  await waitFor(async () => (await log(id))?.results.length === 5, { what: "five results" });
  await writeFile(inside(id, "sick"), "");
  await healthIs(id, "unhealthy");
  expect(healthEvents(id)).toEqual(["healthy", "unhealthy"]);
  const { failingStreak, results } = (await log(id)) ?? {};
  expect(failingStreak).toBeGreaterThanOrEqual(2);
  expect(results).toHaveLength(5);
  expect(results?.at(-1)).toMatchObject({ exitCode: 1, output: "said" });
  expect(under.snapshot(id)).toMatchObject({ state: "running", run: 1 });
  await under.remove(id);
});

test("failures in the start period do not count", async () => {
  const id = await run({ command: ["false"], startPeriodMs: 600_000 });
  await waitFor(async () => ((await log(id))?.results.length ?? 0) >= 3, { what: "results" });
  expect(await log(id)).toMatchObject({ failingStreak: 0 });
  expect(under.snapshot(id).health).toBe("starting");
  await under.remove(id);
});

test("a command that does not end in time is killed, and has failed", async () => {
  const id = await run({ command: ["sleep", "599"], timeoutMs: 300, retries: 1 });
  await healthIs(id, "unhealthy");
  const result = (await log(id))?.results[0];
  expect(result).toMatchObject({ output: "no end within 300 ms" });
  expect(result).not.toHaveProperty("exitCode");
  await under.stop(id);
  const { runRoot } = under.options;
  await waitFor(async () => (await findLeaks(join(runRoot, "health"))).length === 0, {
    what: "no monitor of a check to be left",
  });
  await under.remove(id);
});

test("a command that is not there has failed, and the result says so", async () => {
  const id = await run({ command: ["no-such-command"], retries: 1 });
  await healthIs(id, "unhealthy");
  expect((await log(id))?.results[0]?.output).toContain("no-such-command");
  await under.remove(id);
});

test("U2: restart is done once; the next run begins as starting", async () => {
  // Sick in its first run only.
  const command = ["sh", "-c", "echo checked >> /checks; test $(wc -l < /checks) -gt 2"];
  const id = await run({ command, onFailure: "restart" });
  await waitFor(() => under.snapshot(id).run === 2, { what: "a second run", timeoutMs: 15_000 });
  await healthIs(id, "healthy");
  expect(under.snapshot(id)).toMatchObject({ run: 2, stoppedByUser: false });
  expect(healthEvents(id)).toEqual(["unhealthy", "healthy"]);
  await under.remove(id);
});

test("U2: stop is as by a user: a restart policy leaves it alone", async () => {
  const id = await run(
    { command: ["false"], onFailure: "stop", retries: 1 },
    { restartPolicy: { name: "always" } },
  );
  expect(await under.exited(id)).toMatchObject({
    run: 1,
    health: "unhealthy",
    stoppedByUser: true,
  });
  expect(under.snapshot(id).restartAt).toBeUndefined();
  await under.remove(id);
});

test("U2: kill leaves the rest to the restart policy", async () => {
  const sickOnce = ["sh", "-c", "echo checked >> /checks; test $(wc -l < /checks) -gt 1"];
  const id = await run(
    { command: sickOnce, onFailure: "kill", retries: 1 },
    { restartPolicy: { name: "always" } },
  );
  await waitFor(() => under.snapshot(id).run === 2, { what: "a second run", timeoutMs: 15_000 });
  await healthIs(id, "healthy");
  expect(under.snapshot(id)).toMatchObject({ exitedRun: 1, exitCode: 137, restartCount: 1 });
  await under.remove(id);
});

test("it is not checked while it is paused, and is again afterwards", async () => {
  const id = await run();
  await healthIs(id, "healthy");
  await under.do(id, { verb: "container.pause" });
  const paused = await checks(id);
  // Several intervals, in which another container is checked.
  const other = await run();
  await waitFor(async () => (await checks(other)) >= 3, { what: "checks of another" });
  expect(await checks(id)).toBe(paused);
  await under.do(id, { verb: "container.unpause" });
  await waitFor(async () => (await checks(id)) > paused, { what: "a check" });
  await under.remove(id);
  await under.remove(other);
});

test("the agent restarts: the state and the log are kept, and checks go on", async () => {
  const id = await run({ intervalMs: 500 });
  await healthIs(id, "healthy");
  await under.close();
  await writeFile(inside(id, "sick"), "");
  await under.reopen();
  expect(under.snapshot(id).health).toBe("healthy");
  expect((await log(id))?.results[0]).toMatchObject({ exitCode: 0 });
  await healthIs(id, "unhealthy");
  await under.remove(id);
});

test("healthcheck run: now, with the result in the outcome", async () => {
  const id = await run({ intervalMs: 600_000 });
  await healthIs(id, "healthy");
  await writeFile(inside(id, "sick"), "");
  const failing = await under.perform(id, check);
  expect(failing).toMatchObject({
    status: "succeeded",
    container: { health: "healthy" },
    health: { exitCode: 1, output: "said" },
  });
  const again = await under.perform(id, check);
  expect(again).toMatchObject({ container: { health: "unhealthy" } });
  await under.stop(id);
  expect(failureOf(await under.perform(id, check))).toMatchObject({ code: "STATE_INVALID" });
  await under.remove(id);
  const plain = await under.run("exec sleep 600");
  expect(failureOf(await under.perform(plain, check))).toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining("without a healthcheck"),
  });
  await under.remove(plain);
});

test("no session is left on record, and nothing of the checks on the machine", async () => {
  const id = await run();
  await waitFor(async () => ((await log(id))?.results.length ?? 0) >= 3, { what: "results" });
  expect(under.engine.execs.list(id)).toEqual([]);
  expect(under.events(id).some(({ type }) => type.startsWith("exec."))).toBe(false);
  await under.remove(id);
  await waitFor(async () => (await findLeaks(join(under.options.runRoot, "health"))).length === 0, {
    what: "the last check to be gone",
  });
});
