import { findDurationMs } from "./duration.ts";
import { flagError } from "./flag-error.ts";

/**
 * A point in time as podman's `--since` takes it: RFC 3339, the same without a zone (then local) or without a time, seconds since
 * 1970, or a duration before now.
 * @returns an ISO 8601 time with its zone; an RFC 3339 one is kept as it is, to the nanosecond
 */
export function parseTime(flag: string, text: string, nowMs: number): string {
  if (/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text)) {
    return checked(flag, text, Date.parse(text)) && text;
  }
  if (/^\d+(\.\d+)?$/.test(text)) return checked(flag, text, Number(text) * 1000);
  const durationMs = findDurationMs(text);
  if (durationMs !== undefined) return checked(flag, text, nowMs - durationMs);
  const local = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00` : text;
  const isLocal = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/.test(local);
  return checked(flag, text, isLocal ? Date.parse(local) : Number.NaN);
}

function checked(flag: string, text: string, timeMs: number): string {
  if (Number.isNaN(timeMs) || Math.abs(timeMs) > 8.64e15) {
    throw flagError(
      flag,
      text,
      'must be a time such as "2026-11-23T17:33:49Z" or "2026-11-23", seconds since 1970, or a duration before now such as "10m"',
    );
  }
  return new Date(timeMs).toISOString();
}
