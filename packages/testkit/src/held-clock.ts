import { type Clock, systemClock } from "@podfleet/base/clock";

import { waitFor } from "./wait-for.ts";

interface Sleep {
  readonly durationMs: number;
  readonly end: () => void;
}

/** The system's clock, except for sleeps of the durations that a test holds: those last until the test ends them. */
export class HeldClock implements Clock {
  readonly #held: ReadonlySet<number>;
  readonly #sleeps = new Set<Sleep>();

  constructor(...heldMs: readonly number[]) {
    this.#held = new Set(heldMs);
  }

  nowMs(): number {
    return systemClock.nowMs();
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (!this.#held.has(durationMs)) {
      await systemClock.sleep(durationMs, signal);
      return;
    }
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleep = { durationMs, end: resolve };
    this.#sleeps.add(sleep);
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    try {
      await promise;
    } finally {
      this.#sleeps.delete(sleep);
    }
  }

  /** Resolves once something sleeps for `durationMs`, with a function that ends that sleep. */
  async sleeping(durationMs: number): Promise<() => void> {
    const { end } = await waitFor(
      () => [...this.#sleeps].find((sleep) => sleep.durationMs === durationMs),
      { what: `a sleep of ${durationMs} ms` },
    );
    return end;
  }
}
