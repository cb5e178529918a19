import { flagError } from "./flag-error.ts";

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds of a duration in Go's form, `1h30m` or `1.5s`; undefined when it is none. */
export function findDurationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (unitMs[unit ?? ""] ?? 0), 0);
}

export function parseDurationMs(flag: string, text: string): number {
  const durationMs = text === "0" ? 0 : findDurationMs(text);
  if (durationMs === undefined) {
    throw flagError(flag, text, 'must be a duration such as "30s", "500ms" or "1h30m"');
  }
  return Math.round(durationMs);
}
