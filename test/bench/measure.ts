/** Times of one measured step, in milliseconds. */
export class Samples {
  readonly #values: number[] = [];

  /** Runs `step` and keeps how long it took. */
  async time<T>(step: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const value = await step();
    this.#values.push(performance.now() - startedMs);
    return value;
  }

  /** The value that the share `p` (0 to 1) of the samples does not exceed. */
  percentile(p: number): number {
    const sorted = this.#values.toSorted((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
  }

  get p50(): number {
    return this.percentile(0.5);
  }

  get p95(): number {
    return this.percentile(0.95);
  }
}

export interface Promised {
  readonly what: string;
  readonly value: number;
  readonly atMost: number;
  readonly unit: string;
}

/** Prints each promise with what was measured, and makes the process end with 1 when one is not kept. */
export function judge(promises: readonly Promised[]): void {
  for (const { what, value, atMost, unit } of promises) {
    const isKept = value <= atMost;
    if (!isKept) process.exitCode = 1;
    const verdict = isKept ? "kept" : "NOT KEPT";
    console.log(
      `${what}: ${value.toFixed(2)}${unit}, promised at most ${atMost}${unit}: ${verdict}`,
    );
  }
}
