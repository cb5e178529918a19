/** Time as the program sees it. Tests pass a clock of their own. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Resolves after `durationMs`, which may be infinite; rejects with the signal's reason when it is aborted first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** The longest time that a timer of Node or of a browser can be set to; longer ones fire at once. `sleep` has no such bound. */
export const timerMsMax = 2 ** 31 - 1;

/** Made of what browsers have too. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: async (durationMs, signal) => {
    let leftMs = durationMs;
    do {
      await timer(Math.min(leftMs, timerMsMax), signal);
      leftMs -= timerMsMax;
    } while (leftMs > 0);
  },
};

async function timer(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal?.reason as Error);
  const handle = setTimeout(resolve, durationMs);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(handle);
    signal?.removeEventListener("abort", abort);
  }
}
