import { invariant } from "@podfleet/base/invariant";

/** Converts an RFC 3339 time, whose fraction may have up to nine digits, to nanoseconds since the Unix epoch. */
export function timestampNs(text: string): bigint {
  const match =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)$/i.exec(text);
  invariant(match !== null, `"${text}" is an RFC 3339 time`);
  const [, seconds, fraction = "", zone] = match;
  return BigInt(Date.parse(`${seconds}${zone}`)) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}
