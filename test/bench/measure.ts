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

  /** The quantile `p` (0 to 1) of the samples. */
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

  get p99(): number {
    return this.percentile(0.99);
  }
}

export type Promised = {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
} & ({ readonly atMost: number } | { readonly atLeast: number });

/** Prints each promise with its measurement. The process exits with 1 when one is not kept. */
export function judge(promises: readonly Promised[]): void {
  for (const promise of promises) {
    const { what, value, unit } = promise;
    const [side, bound, isKept] =
      "atMost" in promise
        ? (["most", promise.atMost, value <= promise.atMost] as const)
        : (["least", promise.atLeast, value >= promise.atLeast] as const);
    if (!isKept) process.exitCode = 1;
    const verdict = isKept ? "kept" : "NOT KEPT";
    console.log(
      `${what}: ${value.toFixed(2)}${unit}, promised at ${side} ${bound}${unit}: ${verdict}`,
    );
  }
}
