import type { Clock } from "@podfleet/base/clock";
import { type ContainerId, newContainerId } from "@podfleet/model/ids";
import { describe, expect, test } from "vitest";

import { ContainerLocks } from "./container-locks.ts";

/** Time that passes only when told to. */
class ManualClock implements Clock {
  #nowMs = 0;
  readonly #sleepers = new Set<{ wakeMs: number; wake: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper = { wakeMs: this.#nowMs + durationMs, wake: resolve };
    this.#sleepers.add(sleeper);
    signal?.addEventListener("abort", () => {
      this.#sleepers.delete(sleeper);
      reject(signal.reason);
    });
    await promise;
  }

  advance(durationMs: number): void {
    this.#nowMs += durationMs;
    for (const sleeper of this.#sleepers) {
      if (sleeper.wakeMs > this.#nowMs) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }
}

const request = { purpose: "container.start", holdMsMax: 1_000 };

function setUp(): { clock: ManualClock; locks: ContainerLocks; id: ContainerId } {
  const clock = new ManualClock();
  return { clock, locks: new ContainerLocks(clock), id: newContainerId() };
}

describe("ContainerLocks", () => {
  test("grants in the order of asking, one at a time", async () => {
    const { locks, id } = setUp();
    const log: string[] = [];
    const first = Promise.withResolvers<void>();
    const runs = [
      locks.run(id, request, async () => {
        log.push("a in");
        await first.promise;
        log.push("a out");
      }),
      locks.run(id, request, async () => void log.push("b")),
      locks.run(id, request, async () => void log.push("c")),
    ];
    expect(locks.queueLength(id)).toBe(3);
    first.resolve();
    await Promise.all(runs);
    expect(log).toEqual(["a in", "a out", "b", "c"]);
    expect(locks.queueLength(id)).toBe(0);
  });

  test("containers do not wait for each other", async () => {
    const { locks, id } = setUp();
    const hold = Promise.withResolvers<void>();
    const holder = locks.run(id, request, () => hold.promise);
    await expect(locks.run(newContainerId(), request, async () => "done")).resolves.toBe("done");
    hold.resolve();
    await holder;
  });

  test("is given back when the body fails", async () => {
    const { locks, id } = setUp();
    const failure = locks.run(id, request, async () => {
      throw new Error("no");
    });
    await expect(failure).rejects.toThrow("no");
    await expect(locks.run(id, request, async () => 1)).resolves.toBe(1);
  });

  test("a waiter gives up a minute after the declared time of those before it", async () => {
    const { clock, locks, id } = setUp();
    const hold = Promise.withResolvers<void>();
    const holder = locks.run(
      id,
      { purpose: "container.stop", holdMsMax: 5_000 },
      () => hold.promise,
    );
    const waiter = locks.run(id, request, async () => "ran");
    const refusal = waiter.catch((error: unknown) => error);
    const patient = locks.run(id, request, async () => "patient");
    clock.advance(64_999);
    expect(locks.queueLength(id)).toBe(3);
    clock.advance(1);
    expect(await refusal).toMatchObject({
      code: "LOCK_TIMEOUT",
      details: { holder: "container.stop" },
    });
    expect(locks.queueLength(id)).toBe(2);
    hold.resolve();
    await holder;
    await expect(patient).resolves.toBe("patient");
    expect(clock.sleeping).toBe(0);
  });

  test("taking a second lock while holding one is a defect", async () => {
    const { locks, id } = setUp();
    const nested = locks.run(id, request, () =>
      locks.run(newContainerId(), request, async () => undefined),
    );
    await expect(nested).rejects.toThrow("while holding");
  });

  test("a queue has a bound", async () => {
    const { locks, id } = setUp();
    const hold = Promise.withResolvers<void>();
    const runs = Array.from({ length: 256 }, () => locks.run(id, request, () => hold.promise));
    await expect(locks.run(id, request, async () => undefined)).rejects.toMatchObject({
      code: "LOCK_TIMEOUT",
    });
    hold.resolve();
    await Promise.all(runs);
  });
});
