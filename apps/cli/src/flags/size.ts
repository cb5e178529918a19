import { flagError } from "./flag-error.ts";

const powers: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** Bytes of `512m`, `1.5g`, `64kb` or `1048576`: units are powers of 1024, as podman reads them. */
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
