import type { Output } from "./terminal.ts";

/** A part of a journal: offsets of its first byte, and of the first after it. */
interface Gap {
  readonly from: number;
  readonly to: number;
}

export function missing({ from, to }: Gap, container: string): string {
  return `the host does not keep ${to - from} bytes of the journal of "${container}" any more`;
}

/** Says on `output` what is missing, in the place where it would have been. */
export function gapWarning(output: Output, container: string): (gap: Gap) => Promise<void> {
  return async (gap) => await output.print(`Warning: ${missing(gap, container)}`);
}
