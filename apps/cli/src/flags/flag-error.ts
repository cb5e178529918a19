import { PodfleetError } from "@podfleet/model/errors";

/** The error for a flag's value: it names the flag, the value and what is allowed. */
export function flagError(flag: string, value: string, allowed: string): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot use ${flag} ${JSON.stringify(value)}: ${allowed}`,
    {
      details: { flag, value },
    },
  );
}

/** Value of a flag that counts something. */
export function parseCount(flag: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw flagError(flag, text, "must be a whole number, 0 or more");
  return Number(text);
}

/** The one of `choices` that `text` is. */
export function parseChoice<T extends string>(
  flag: string,
  text: string,
  choices: readonly T[],
): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) {
    throw flagError(flag, text, `must be one of ${choices.map((name) => `"${name}"`).join(", ")}`);
  }
  return choice;
}

/** `KEY=VALUE` into its two halves; without a `=`, the value is undefined. */
export function splitPair(text: string): [key: string, value: string | undefined] {
  const at = text.indexOf("=");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
