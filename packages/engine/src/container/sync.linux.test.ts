import { rm } from "node:fs/promises";
import { join } from "node:path";

import { invariant } from "@podfleet/base/invariant";
import type { ContainerId } from "@podfleet/model/ids";
import { findStartTicks, identityOf, isAlive } from "@podfleet/oci/process/process-identity";
import { findTool, runCommand } from "@podfleet/oci/process/run-command";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest } from "../test-engine.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const sync = { verb: "container.sync" } as const;

function runtimeRoot(): string {
  return join(under.options.runRoot, "runtime");
}

async function runc(...args: string[]): Promise<void> {
  const options = { timeoutMs: 10_000, spanName: "runc" };
  await runCommand(findTool("runc"), ["--root", runtimeRoot(), ...args], options);
}

function eventTypes(id: ContainerId): string[] {
  return under.events(id).map(({ type }) => type);
}

test("Y1: a process killed behind the engine's back is found, with its exit code, once", async () => {
  const id = await under.create();
  const { pid } = await under.start(id);
  const process = identityOf(pid, findStartTicks(pid ?? 0));
  await runc("kill", id, "KILL");
  await waitFor(() => !process || !isAlive(process), { what: "the end of the process" });
  const synced = await under.do(id, sync);
  expect(synced).toMatchObject({ state: "exited", exitCode: 137, exitUnknown: false });
  expect(synced.stoppedByUser).toBe(false);
  expect(eventTypes(id).filter((type) => type === "container.died")).toHaveLength(1);
});

test("Y1: a container deleted from the runtime behind the engine's back has its exit code too", async () => {
  const id = await under.create();
  await under.start(id);
  await runc("delete", "--force", id);
  expect(await under.do(id, sync)).toMatchObject({ state: "exited", exitCode: 137 });
});

test("Y1: a start behind the engine's back is found", async () => {
  const id = await under.create();
  await under.do(id, { verb: "container.init" });
  await runc("start", id);
  expect(await under.do(id, sync)).toMatchObject({ state: "running", run: 1 });
});

test("Y2: a record that is right is not written", async () => {
  const id = await under.create();
  const running = await under.start(id);
  expect(await under.do(id, sync)).toEqual(running);
  expect(eventTypes(id).at(-1)).toBe("operation.finished");
  const configured = await under.create();
  expect(await under.do(configured, sync)).toMatchObject({ state: "configured", revision: 1 });
});

test("Y3: a container that the runtime does not know has exited, how is unknown", async () => {
  const id = await under.create();
  await under.start(id);
  await rm(join(runtimeRoot(), id), { recursive: true });
  const synced = await under.do(id, sync);
  expect(synced).toMatchObject({ state: "exited", exitUnknown: true, exitedRun: 1 });
  expect(synced).not.toHaveProperty("exitCode");
  const wait = await under.engine.wait({ containerId: id, condition: "exit", timeoutMs: 0 });
  expect(wait).toMatchObject({ state: "met", run: 1, exitUnknown: true });
});

test("X5: the death of a monitor is noticed, its process is ended, the exit unknown", async () => {
  const id = await under.create();
  const { monitorPid, pid } = await under.start(id);
  invariant(monitorPid && pid, "it runs");
  const startTicks = findStartTicks(pid);
  invariant(startTicks, "its process runs");
  process.kill(monitorPid, "SIGKILL");
  const stopped = await under.inState(id, "stopped");
  expect(stopped).toMatchObject({ exitUnknown: true, exitedRun: 1 });
  await under.exited(id);
  expect(isAlive({ pid, startTicks })).toBe(false);
  expect(await under.start(id)).toMatchObject({ state: "running", run: 2, exitUnknown: true });
});
