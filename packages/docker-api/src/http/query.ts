/** Parses query parameters as dockerd does. Invalid values that dockerd ignores are refused. */
import { inputError } from "@podfleet/model/input-error";
import { z } from "zod";

/** @throws PodfleetError INVALID_INPUT that names the field, its value and what is allowed */
export function readQuery<Schema extends z.ZodType>(
  schema: Schema,
  query: unknown,
): z.output<Schema> {
  const given = Object.entries(query as Record<string, string | string[]>);
  // The first value of a repeated parameter counts, as in Go.
  const values = given.map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]);
  return parseInput(schema, Object.fromEntries(values));
}

/** @throws PodfleetError INVALID_INPUT that names the field, its value and what is allowed */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw inputError(result.error, input);
}

const switches: Readonly<Record<string, boolean>> = {
  ...{ "1": true, true: true, t: true, yes: true, y: true, on: true },
  ...{
    "": false,
    "0": false,
    false: false,
    f: false,
    no: false,
    n: false,
    off: false,
    none: false,
  },
};

export const switchSchema = z
  .string()
  .refine((text) => Object.hasOwn(switches, text.toLowerCase()), 'must be "true" or "false"')
  .transform((text) => switches[text.toLowerCase()] === true);

/** An integer; absent when empty. */
export const integerSchema = z
  .string()
  .regex(/^(-?\d{1,15})?$/, "must be an integer")
  .transform((text) => (text === "" ? undefined : Number(text)));

/**
 * A moment: seconds since 1970 with up to nine digits of a fraction, or RFC 3339; absent when empty or 0. Yields RFC 3339 with
 * nanoseconds.
 */
export const momentSchema = z
  .string()
  .refine(
    (text) => /^(\d{1,11}(\.\d{1,9})?)?$/.test(text) || isRfc3339(text),
    "must be seconds since 1970 or an RFC 3339 time",
  )
  .transform((text) => {
    if (Number(text) === 0) return undefined;
    const [, seconds, fraction = ""] = /^(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
    if (seconds === undefined) return text;
    const whole = new Date(Number(seconds) * 1000)
      .toISOString()
      .slice(0, "1970-01-01T00:00:00".length);
    return `${whole}.${fraction.padEnd(9, "0")}Z`;
  });

function isRfc3339(text: string): boolean {
  return z.iso.datetime({ offset: true }).safeParse(text).success;
}
