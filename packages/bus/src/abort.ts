export interface AbortCause {
  readonly signal: AbortSignal;
  readonly makeError: () => Error;
}

/** Settles with `promise`, or rejects with the error of the first signal that is aborted. Removes its listeners. */
export async function raceAborts<T>(
  promise: Promise<T>,
  causes: readonly AbortCause[],
): Promise<T> {
  const finished = new AbortController();
  const aborted = new Promise<never>((_resolve, reject) => {
    for (const { signal, makeError } of causes) {
      const fail = (): void => reject(makeError());
      if (signal.aborted) fail();
      else signal.addEventListener("abort", fail, { once: true, signal: finished.signal });
    }
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    finished.abort();
  }
}
