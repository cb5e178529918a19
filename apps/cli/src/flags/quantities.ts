/** Durations, points in time and sizes, as podman reads them. */
import { flagError } from "./values.ts";

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** @returns milliseconds of a duration in Go's form, `1h30m` or `1.5s`; undefined for other text */
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

/**
 * Parses a point in time: RFC 3339, the same in local time without a zone, a date alone, seconds since 1970, or a duration before
 * now.
 * @returns an ISO 8601 time with its zone; RFC 3339 text is kept as it is, to the nanosecond
 */
export function parseTime(flag: string, text: string, nowMs: number): string {
  if (/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text)) {
    return checkedTime(flag, text, Date.parse(text)) && text;
  }
  if (/^\d+(\.\d+)?$/.test(text)) return checkedTime(flag, text, Number(text) * 1000);
  const durationMs = findDurationMs(text);
  if (durationMs !== undefined) return checkedTime(flag, text, nowMs - durationMs);
  const local = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00` : text;
  const isLocal = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/.test(local);
  return checkedTime(flag, text, isLocal ? Date.parse(local) : Number.NaN);
}

function checkedTime(flag: string, text: string, timeMs: number): string {
  if (Number.isNaN(timeMs) || Math.abs(timeMs) > 8.64e15) {
    throw flagError(
      flag,
      text,
      'must be a time such as "2026-11-23T17:33:49Z" or "2026-11-23", seconds since 1970, or a duration before now such as "10m"',
    );
  }
  return new Date(timeMs).toISOString();
}

const powers: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** @returns bytes of `512m`, `1.5g`, `64kb` or `1048576`; units are powers of 1024 */
export function parseSize(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  const bytes = match
    ? Number(match[1]) * 1024 ** (powers[(match[2] ?? "").toLowerCase()] ?? 0)
    : Number.NaN;
  if (!Number.isSafeInteger(Math.round(bytes))) {
    throw flagError(
      flag,
      text,
      'must be a number of bytes, or one with a unit of b, k, m or g: "512m"',
    );
  }
  return Math.round(bytes);
}
