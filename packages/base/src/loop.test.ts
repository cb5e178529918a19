import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { systemClock, timerMsMax } from "./clock.ts";
import { Loop, type LoopFailure, type LoopOptions } from "./loop.ts";

const started: Loop[] = [];

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});

afterEach(async () => {
  await Promise.all(started.splice(0).map(async (loop) => await loop.stop()));
  vi.useRealTimers();
});

interface TestLoopOptions extends Partial<Omit<LoopOptions, "run">> {
  /** `count` is the number of the run. */
  readonly run?: (signal: AbortSignal, count: number) => ReturnType<LoopOptions["run"]>;
}

/** A started loop without jitter, that counts its runs and keeps what it reports. */
function startLoop(options: TestLoopOptions = {}) {
  const failures: LoopFailure[] = [];
  const counts = { runs: 0 };
  const { run, ...rest } = options;
  const loop = new Loop({
    name: "test",
    random: () => 0,
    onFailure: (failure) => failures.push(failure),
    ...rest,
    run: async (signal) => {
      counts.runs += 1;
      return await run?.(signal, counts.runs);
    },
  });
  started.push(loop);
  loop.start();
  return { loop, failures, counts };
}

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  // oxlint-disable-next-line no-restricted-properties -- time is a fake here, so nothing sleeps
  await systemClock.sleep(ms, signal);
}

const pass = async (ms: number) => await vi.advanceTimersByTimeAsync(ms);

describe("when it runs", () => {
  test("at once, and again when the interval has passed since the end of a run", async () => {
    const { counts } = startLoop({
      intervalMs: 1_000,
      run: async (signal) => await sleep(500, signal),
    });
    expect(counts.runs).toBe(1);
    await pass(1_499);
    expect(counts.runs).toBe(1);
    await pass(1);
    expect(counts.runs).toBe(2);
  });

  test("up to a tenth of the interval earlier, at random", async () => {
    const { counts } = startLoop({ intervalMs: 1_000, random: () => 0.999 });
    await pass(899);
    expect(counts.runs).toBe(1);
    await pass(2);
    expect(counts.runs).toBe(2);
  });

  test("without an interval, only when triggered", async () => {
    const { loop, counts } = startLoop();
    await pass(10 * timerMsMax);
    expect(counts.runs).toBe(1);
    loop.trigger();
    await pass(0);
    expect(counts.runs).toBe(2);
  });

  test("once for triggers that come together, by the earliest of them", async () => {
    const { loop, counts } = startLoop();
    await pass(1);
    for (const delayMs of [200, 50, 100]) loop.trigger(delayMs);
    await pass(49);
    expect(counts.runs).toBe(1);
    await pass(1_000);
    expect(counts.runs).toBe(2);
  });

  test("one run at a time: a trigger during a run is followed after it", async () => {
    const held = Promise.withResolvers<void>();
    const { loop, counts } = startLoop({ run: async () => await held.promise });
    loop.trigger();
    loop.trigger();
    await pass(1_000);
    expect(counts.runs).toBe(1);
    held.resolve();
    await pass(0);
    expect(counts.runs).toBe(2);
    await pass(1_000);
    expect(counts.runs).toBe(2);
  });

  test("in time though the system's clock was set back", async () => {
    const { counts } = startLoop({ intervalMs: 1_000 });
    await pass(500);
    vi.setSystemTime(-3_600_000);
    await pass(500);
    expect(counts.runs).toBe(2);
  });

  test("runOnce resolves at the end of a run that began after it was called", async () => {
    const ends = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { loop, counts } = startLoop({
      run: async (_signal, count) => await ends[count - 1]?.promise,
    });
    let hasEnded = false;
    const ended = loop.runOnce().then(() => (hasEnded = true));
    ends[0]?.resolve();
    await pass(0);
    expect([counts.runs, hasEnded]).toEqual([2, false]);
    ends[1]?.resolve();
    await ended;
  });
});

describe("a run that fails", () => {
  const failing = async (): Promise<void> => {
    throw new Error("too many open files");
  };

  test("is tried again in time though the system's clock was set back in the back-off", async () => {
    const backoff = { minMs: 1_000, maxMs: 1_000 };
    const { loop, counts } = startLoop({ backoff, run: failing });
    await pass(0);
    vi.setSystemTime(-3_600_000);
    loop.trigger();
    await pass(1_000);
    expect(counts.runs).toBe(2);
    expect(loop.status.lastDurationMs).toBe(0);
  });

  test("is tried again at once when that was asked for while it was under way", async () => {
    const first = Promise.withResolvers<void>();
    const { loop, counts } = startLoop({
      run: async (_signal, count) => (count === 1 ? await first.promise : undefined),
    });
    await pass(0);
    loop.retry();
    first.reject(new Error("connection lost"));
    await pass(0);
    expect(counts.runs).toBe(2);
  });

  test("is tried again with growing delays, up to a bound", async () => {
    const { counts } = startLoop({ intervalMs: 400, run: failing });
    const gaps: number[] = [];
    for (let runs = 1, ms = 0; gaps.length < 7; ms += 100) {
      if (counts.runs > runs) {
        gaps.push(ms);
        [runs, ms] = [counts.runs, 0];
      }
      await pass(100);
    }
    expect(gaps).toEqual([200, 400, 800, 1_600, 2_500, 2_500, 2_500]);
  });

  test("is reported the first, second, fourth, eighth time", async () => {
    const { failures } = startLoop({ intervalMs: 1_000, run: failing });
    await pass(60_000);
    expect(failures.map((failure) => failure.failures)).toEqual([1, 2, 4, 8, 16]);
    expect(failures[0]?.error).toEqual(new Error("too many open files"));
  });

  test("that throws before its first wait is a failure like any other", async () => {
    const { failures, counts } = startLoop({
      run: () => {
        throw new Error("at once");
      },
    });
    await pass(60_000);
    expect(failures.length).toBeGreaterThan(1);
    expect(counts.runs).toBeGreaterThan(1);
  });

  test("goes on though the report of it fails", async () => {
    const { counts } = startLoop({
      run: failing,
      onFailure: () => {
        throw new Error("no space left on the device");
      },
    });
    await pass(60_000);
    expect(counts.runs).toBeGreaterThan(5);
  });

  test("is not hurried by triggers, but by retry", async () => {
    const { loop, counts } = startLoop({ intervalMs: 60_000, run: failing });
    await pass(0);
    loop.trigger();
    await pass(499);
    expect(counts.runs).toBe(1);
    loop.retry();
    await pass(0);
    expect(counts.runs).toBe(2);
  });

  test("is followed by the usual interval once a run succeeds", async () => {
    const { counts, loop } = startLoop({
      intervalMs: 10_000,
      run: (_signal, count) => {
        if (count < 4) throw new Error("not yet");
      },
    });
    await pass(4_000);
    expect(counts.runs).toBe(4);
    expect(loop.status.failures).toBe(0);
    await pass(9_000);
    expect(counts.runs).toBe(4);
    await pass(1_000);
    expect(counts.runs).toBe(5);
  });
});

describe("its status", () => {
  test("tells when it ran last, how long that took and what it did", async () => {
    const { loop } = startLoop({
      intervalMs: 1_000,
      run: async () => {
        await sleep(30);
        return { dropped: 3 };
      },
    });
    await pass(50);
    expect(loop.status).toEqual({
      name: "test",
      runs: 1,
      failures: 0,
      overdueMs: 0,
      lastRunAt: new Date(0).toISOString(),
      lastDurationMs: 30,
      lastResult: { dropped: 3 },
    });
  });

  test("keeps the last error, with a bound on its length", async () => {
    const { loop } = startLoop({
      intervalMs: 1_000,
      run: (_signal, count) => {
        if (count === 1) throw new Error("x".repeat(10_000));
      },
    });
    await pass(1_000);
    expect(loop.status.failures).toBe(0);
    expect(loop.status.lastError).toEqual({
      at: new Date(0).toISOString(),
      message: "x".repeat(500),
    });
  });

  test("says how late the end of a run is that takes long", async () => {
    const { loop } = startLoop({
      intervalMs: 1_000,
      run: async (signal) => await sleep(60_000, signal),
    });
    await pass(900);
    expect(loop.status.overdueMs).toBe(0);
    await pass(30_100);
    expect(loop.status.overdueMs).toBe(30_000);
  });

  test("says since when work is overdue that fails", async () => {
    const { loop } = startLoop({
      intervalMs: 1_000,
      run: () => {
        throw new Error("not reachable");
      },
    });
    await pass(20_000);
    expect(loop.status.overdueMs).toBe(20_000);
  });
});

describe("stop", () => {
  test("ends a wait at once", async () => {
    const { loop, counts } = startLoop({ intervalMs: 1_000 });
    await pass(1);
    await loop.stop();
    await pass(10_000);
    expect(counts.runs).toBe(1);
  });

  test("waits for the run under way, whose signal is aborted, and reports no failure of that", async () => {
    const { loop, failures } = startLoop({
      run: async (signal) => await sleep(60_000, signal),
    });
    await loop.stop();
    expect(failures).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("the system's clock sleeps for longer than a timer can", async () => {
  let isOver = false;
  void sleep(2.5 * timerMsMax).then(() => (isOver = true));
  await pass(2.4 * timerMsMax);
  expect(isOver).toBe(false);
  await pass(0.1 * timerMsMax);
  expect(isOver).toBe(true);
});
