import { systemClock } from "./clock.ts";

/** Resolves after `durationMs`, or as soon as `signal` is aborted. For loops that look at the signal themselves. */
export async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  try {
    await systemClock.sleep(durationMs, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
