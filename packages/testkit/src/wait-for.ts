import { systemClock } from "@podfleet/base/clock";

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** Completes "Waited 5000 ms for ...". */
  readonly what: string;
}

/**
 * Asks `condition` until it returns something truthy, and returns that. An error of `condition` counts as not yet, and is the
 * cause of the failure when the deadline (5 s unless told) passes.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<NonNullable<Exclude<T, false>>> {
  const { timeoutMs = 5_000, intervalMs = 20, what } = options;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const value = await condition();
      if (value !== undefined && value !== null && value !== false) {
        return value as NonNullable<Exclude<T, false>>;
      }
    } catch (error) {
      cause = error;
    }
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms for ${what}`, { cause });
    await systemClock.sleep(intervalMs);
  }
}
