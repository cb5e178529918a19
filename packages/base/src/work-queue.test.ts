import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { WorkQueue, type WorkQueueOptions } from "./work-queue.ts";

const started: WorkQueue<string>[] = [];

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});

afterEach(async () => {
  await Promise.all(started.splice(0).map(async (queue) => await queue.stop()));
  vi.useRealTimers();
});

/** A started queue that notes what it begins, and when. */
function startQueue(options: Partial<WorkQueueOptions<string>> = {}) {
  const begun: string[] = [];
  const givenUp: string[] = [];
  const { run, ...rest } = options;
  const queue = new WorkQueue<string>({
    name: "test",
    atOnceMax: 2,
    backoff: { minMs: 1_000, maxMs: 8_000, random: () => 0.999_999 },
    isTriedAgain: () => true,
    onGivenUp: (_error, key) => givenUp.push(key),
    ...rest,
    run: async (key, signal) => {
      begun.push(`${Date.now()} ${key}`);
      return await run?.(key, signal);
    },
  });
  started.push(queue);
  queue.start();
  return { queue, begun, givenUp };
}

const pass = async (ms: number) => await vi.advanceTimersByTimeAsync(ms);

test("each key at its time", async () => {
  const { queue, begun } = startQueue();
  queue.add("b", 200);
  queue.add("a", 100);
  queue.add("c");
  await pass(1_000);
  expect(begun).toEqual(["0 c", "100 a", "200 b"]);
});

test("a key that is added again keeps the earlier time", async () => {
  const { queue, begun } = startQueue();
  queue.add("a", 200);
  queue.add("a", 500);
  queue.add("a", 100);
  await pass(1_000);
  expect(begun).toEqual(["100 a"]);
});

test("a few at once, the others in their turn", async () => {
  const ends = new Map<string, () => void>();
  const { queue, begun } = startQueue({
    run: async (key) => {
      await new Promise<void>((resolve) => ends.set(key, resolve));
      return undefined;
    },
  });
  for (const key of ["a", "b", "c"]) queue.add(key);
  await pass(1_000);
  expect(begun).toEqual(["0 a", "0 b"]);
  expect(queue.status).toMatchObject({
    overdueMs: 1_000,
    lastResult: { waiting: 0, queued: 1, underWay: 2 },
  });
  ends.get("b")?.();
  await pass(1);
  expect(begun).toEqual(["0 a", "0 b", "1000 c"]);
  for (const end of ends.values()) end();
  await pass(1);
});

test("a key that is added while it is under way comes once more", async () => {
  const { queue, begun } = startQueue({
    run: async (key) => {
      if (begun.length === 1) queue.add(key);
      return undefined;
    },
  });
  queue.add("a");
  await pass(1_000);
  expect(begun).toEqual(["0 a", "0 a"]);
});

test("a key comes again after the delay that its work answers", async () => {
  const { queue, begun } = startQueue({
    run: async () => (begun.length < 3 ? 500 : undefined),
  });
  queue.add("a");
  await pass(5_000);
  expect(begun).toEqual(["0 a", "500 a", "1000 a"]);
});

test("work that fails holds no place while it waits for its next attempt", async () => {
  const { queue, begun } = startQueue({
    run: async (key) => {
      if (key.startsWith("stuck")) throw new Error("device busy");
      return undefined;
    },
  });
  for (const key of ["stuck-1", "stuck-2", "stuck-3", "stuck-4"]) queue.add(key);
  queue.add("web", 10);
  await pass(100);
  expect(begun.at(-1)).toBe("10 web");
  expect(queue.status).toMatchObject({ failures: 4, lastError: { message: "device busy" } });
  await pass(15_000);
  const attempts = begun.filter((each) => each.endsWith("stuck-1"));
  expect(attempts.map((each) => Number(each.split(" ")[0]))).toEqual([
    0, 1_000, 3_000, 7_000, 15_000,
  ]);
});

test("what is not tried again is given up, and may be added anew", async () => {
  const { queue, begun, givenUp } = startQueue({
    isTriedAgain: (_error, failures) => failures < 2,
    run: async () => {
      throw new Error("no such mount");
    },
  });
  queue.add("a");
  await pass(10_000);
  expect(begun).toEqual(["0 a", "1000 a"]);
  expect(givenUp).toEqual(["a"]);
  expect(queue.status.failures).toBe(0);
  queue.add("a");
  await pass(10);
  expect(begun).toHaveLength(3);
});

test("waits end though the system's clock was set back", async () => {
  const { queue, begun } = startQueue();
  queue.add("a", 100);
  await pass(50);
  vi.setSystemTime(-3_600_000);
  await pass(50);
  expect(begun).toHaveLength(1);
});

test("stop waits for what is under way, and drops what is not begun", async () => {
  const ended: string[] = [];
  const { queue, begun } = startQueue({
    atOnceMax: 1,
    run: async (key, signal) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      ended.push(key);
      return undefined;
    },
  });
  for (const key of ["a", "b"]) queue.add(key);
  queue.add("c", 100);
  await pass(10);
  await queue.stop();
  await pass(1_000);
  expect(begun).toEqual(["0 a"]);
  expect(ended).toEqual(["a"]);
});

test("a request made during a back-off is done at once, and failures before it do not count", async () => {
  const failures: number[] = [];
  const { queue, begun } = startQueue({
    run: async () => await Promise.reject(new Error("no space left")),
    isTriedAgain: (_error, count) => failures.push(count) > 0,
  });
  queue.add("a");
  await pass(500);
  queue.add("a");
  await pass(100);
  expect(begun).toEqual(["0 a", "500 a"]);
  expect(failures).toEqual([1, 1]);
});

test("a request made while the key's work is under way is done after it, also when that is given up", async () => {
  const first = Promise.withResolvers<number | undefined>();
  const { queue, begun, givenUp } = startQueue({
    run: async () => (begun.length === 1 ? await first.promise : undefined),
    isTriedAgain: () => false,
  });
  queue.add("a");
  await pass(100);
  queue.add("a");
  first.reject(new Error("no space left"));
  await pass(0);
  expect(givenUp).toEqual(["a"]);
  expect(begun).toEqual(["0 a", "100 a"]);
});
