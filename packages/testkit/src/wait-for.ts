import { systemClock } from "@podfleet/base/clock";

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly intervalMs?: number;
  /** Completes "Waited 15000 ms for ...". */
  readonly what: string;
}

/** The default deadline, long enough for a busy machine: it ends a wait that would never succeed, and measures nothing. */
const defaultTimeoutMs = 15_000;

/**
 * Calls `condition` until it returns something truthy, and returns that. An error of `condition` counts as not yet, and is the
 * cause of the failure when the deadline passes.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<NonNullable<Exclude<T, false>>> {
  const { timeoutMs = defaultTimeoutMs, intervalMs = 20, what } = options;
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

/** Resolves when the assertions of `check` hold; the last that did not is the cause of the failure. */
export async function eventually(check: () => unknown): Promise<void> {
  const holds = async (): Promise<true> => {
    await check();
    return true;
  };
  await waitFor(holds, { what: "assertions to hold" });
}
