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

test("the processes of a container are seen with its own ids and names", async () => {
  const id = await under.run("sleep 601 & echo ready; wait", { user: "app" });
  await under.printed(id, "ready");
  const processes = await under.engine.processes(id);
  expect(processes).toMatchObject([
    { pid: 1, ppid: 0, user: "app", uid: 1000, arguments: ["sh", "-c", expect.any(String)] },
    { ppid: 1, user: "app", arguments: ["sleep", "601"], state: "S" },
  ]);
  const [first] = processes;
  expect(first?.hostPid).toBe(under.snapshot(id).pid);
  expect(first).not.toHaveProperty("tty");
  expect(first?.elapsedMs).toBeLessThan(60_000);
});

test("a terminal is named as in the container", async () => {
  const id = await under.run("echo ready; sleep 601", { tty: true });
  await under.printed(id, "ready");
  expect((await under.engine.processes(id))[0]).toMatchObject({ tty: "pts/0" });
});

test("what a container uses is counted from the start of its run", async () => {
  const resources = { memoryBytes: 64 * 1024 * 1024, pidsLimit: 32 };
  const id = await under.run("i=0; while :; do i=$((i + 1)); done", { resources });
  const first = await under.engine.usage(id);
  const later = await waitFor(
    async () => {
      const usage = await under.engine.usage(id);
      return usage.cpuNanos > first.cpuNanos + 50_000_000 && usage;
    },
    { what: "the container to use a CPU" },
  );
  expect(later).toMatchObject({ pids: 1, pidsLimit: 32, memoryLimitBytes: 64 * 1024 * 1024 });
  expect(later.memoryBytes).toBeGreaterThan(0);
  expect(later.memoryBytes).toBeLessThan(64 * 1024 * 1024);
  expect(Date.parse(later.at)).toBeGreaterThan(Date.parse(first.at));
  expect(later).not.toHaveProperty("network");
});

test("a container that does not run has neither", async () => {
  const id = await under.create();
  await expect(under.engine.processes(id)).rejects.toMatchObject({ code: "STATE_INVALID" });
  await expect(under.engine.usage(id)).rejects.toMatchObject({ code: "STATE_INVALID" });
});
