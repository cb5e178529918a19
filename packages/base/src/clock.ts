import { setTimeout as sleepTimer } from "node:timers/promises";

/** Time as the program sees it. Tests pass a clock of their own. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when it is aborted first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: async (durationMs, signal) => {
    await sleepTimer(durationMs, undefined, signal ? { signal } : {});
  },
};
