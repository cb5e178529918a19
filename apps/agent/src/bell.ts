/** Wakes a loop. A ring while nobody listens is kept, so that the next `wait` returns at once; further rings add nothing. */
export class Bell {
  #isRung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  /** Resolves at the next ring, or when `signal` is aborted, and forgets the ring. One caller at a time. */
  async wait(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    signal.addEventListener("abort", wake);
    if (!this.#isRung && !signal.aborted) await promise;
    signal.removeEventListener("abort", wake);
    this.#wake = undefined;
    this.#isRung = false;
  }
}
