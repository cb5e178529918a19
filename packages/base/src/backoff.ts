export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
  /** Growth per attempt. */
  readonly factor?: number;
  /** Returns a number in [0, 1); spreads attempts over the upper half of the delay. */
  readonly random?: () => number;
}

/** Delay before attempt `attempt` (0 is the first retry): exponential, bounded, with jitter. */
export function backoffMs(attempt: number, options: BackoffOptions): number {
  const { minMs, maxMs, factor = 2, random = Math.random } = options;
  const ceilingMs = Math.min(maxMs, minMs * factor ** attempt);
  return Math.round(ceilingMs / 2 + (random() * ceilingMs) / 2);
}
