import { closeSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { ContainerId } from "@podfleet/model/ids";
import { sendSignal } from "@podfleet/oci/process/process-identity";
import { listProcesses } from "@podfleet/oci/process/process-table";
import { toolEnvironment } from "@podfleet/oci/process/run-command";
import { openPipe, spawnProcess } from "@podfleet/oci/process/spawn-process";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest } from "../test-engine.ts";
import { TestSession } from "../test-session.ts";

let under: EngineUnderTest;
beforeAll(async () => {
  under = await EngineUnderTest.open();
});
afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const inputOf = (id: ContainerId) => join(under.options.runRoot, "bundles", id, "input");

/** Lists the processes that forward the container's input. */
function forwarders(id: ContainerId): number[] {
  return listProcesses().flatMap(({ pid, argv }) => (argv.includes(inputOf(id)) ? [pid] : []));
}

test("there is one for a command, across restarts of the agent, and it goes with the run", async () => {
  const id = await under.run("cat", { stdin: true });
  expect(forwarders(id)).toEqual([]);
  const first = await TestSession.open(under, id, { input: "shared" });
  const second = await TestSession.open(under, id, { input: "shared" });
  for (const { attachment } of [first, second]) attachment.input?.position();
  const [forwarder] = forwarders(id);
  await under.reopen();
  const again = await TestSession.open(under, id, {}, { sessionId: first.id });
  await again.write("x\n");
  await again.printed("x\n");
  expect(forwarders(id)).toEqual([forwarder]);
  await under.stop(id, 0);
  await waitFor(() => forwarders(id).length === 0, { what: "the end of the forwarder" });
});

test("one whose agent was killed before it was complete is made anew by the next", async () => {
  const id = await under.run("cat", { stdin: true });
  await under.close();
  writeFileSync(inputOf(id), "");
  const [reading, writing] = openPipe();
  const args = ["-c", "+1", "-f", "-s", "0.02", "--", inputOf(id)];
  const descriptors = ["null", writing, "null"] as const;
  const tail = spawnProcess("/usr/bin/tail", args, {
    env: toolEnvironment,
    descriptors,
    session: true,
  });
  closeSync(reading);
  closeSync(writing);
  await tail.reap();
  await under.reopen();
  const session = await TestSession.open(under, id, { input: "shared" });
  await session.write("x\n");
  await session.printed("x\n");
  expect(forwarders(id)).toHaveLength(1);
  session.endInput();
  await session.ended();
});

test("those of runs that ended while no agent was there are ended by the next", async () => {
  const id = await under.run("cat", { stdin: true });
  const session = await TestSession.open(under, id, { input: "shared" });
  await session.write("x");
  const { pid = 0 } = under.snapshot(id);
  await under.close();
  sendSignal(pid, "SIGKILL");
  await under.reopen();
  await under.exited(id);
  await waitFor(() => forwarders(id).length === 0, { what: "the end of the forwarder" });
  const next = await TestSession.open(under, id, { run: "next", input: "shared" });
  await under.start(id);
  await next.write("fresh\n");
  next.endInput();
  await next.ended();
  expect(next.text()).toBe("fresh\n");
});

test("when it is killed, the command's input ends, and what is written then is dropped", async () => {
  const id = await under.run("cat; echo end; sleep 600", { stdin: true });
  const session = await TestSession.open(under, id, { input: "shared" });
  await session.write("x\n");
  await session.printed("x\n");
  for (const pid of forwarders(id)) sendSignal(pid, "SIGKILL");
  await session.printed("end\n");
  await under.reopen();
  const again = await TestSession.open(under, id, {}, { sessionId: session.id });
  expect(again.attachment.input?.position()).toMatchObject({ seq: 2, ended: true });
  again.attachment.input?.write(2, Buffer.from("y"));
  expect(forwarders(id)).toEqual([]);
});

test("the monitor is killed: the exit is unknown, and nothing is left of the forwarder", async () => {
  const id = await under.run("echo x; cat", { stdin: true });
  const session = await TestSession.open(under, id, { input: "shared", from: "start" });
  await session.printed("x\n");
  sendSignal(under.snapshot(id).monitorPid ?? 0, "SIGKILL");
  expect(await session.ended()).toEqual({ exitUnknown: true, timedOut: false });
  await waitFor(() => forwarders(id).length === 0, { what: "the end of the forwarder" });
});

test("a container whose files lie deep is written to as well", async () => {
  await using other = await EngineUnderTest.open();
  await other.reopen({ runRoot: join(other.options.runRoot, "y".repeat(120)) });
  const id = await other.run("cat", { stdin: true });
  const session = await TestSession.open(other, id, { input: "shared" });
  await session.write("x\n");
  await session.printed("x\n");
  expect(join(other.options.runRoot, "bundles", id, "attach").length).toBeGreaterThan(108);
});
