/** Values of flags and operands. What cannot be used is refused with the flag, its value and what is allowed. */
import { constants, openAsBlob } from "node:fs";
import { access } from "node:fs/promises";

import { PodfleetError } from "@podfleet/model/errors";
import { operationIdSchema } from "@podfleet/model/ids";
import type { OperationId } from "@podfleet/model/ids";

export function flagError(flag: string, value: string, allowed: string): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot use ${flag} ${JSON.stringify(value)}: ${allowed}`,
    { details: { flag, value } },
  );
}

/** @returns a whole number, 0 or more */
export function parseCount(flag: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw flagError(flag, text, "must be a whole number, 0 or more");
  return Number(text);
}

export function parseChoice<T extends string>(
  flag: string,
  text: string,
  choices: readonly T[],
): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw flagError(flag, text, `must be one of ${quoted(choices)}`);
  return choice;
}

export function parseOperationId(text: string): OperationId {
  const parsed = operationIdSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw flagError("operation", text, 'must be an operation\'s id, as "podfleet op ls" shows it');
}

/** @returns the list in a value that is a JSON list of strings; undefined for plain text */
export function parseCommandList(flag: string, text: string): string[] | undefined {
  if (!text.trimStart().startsWith("[")) return undefined;
  const list = parseJson(text);
  if (!Array.isArray(list) || !list.every((item) => typeof item === "string")) {
    throw flagError(flag, text, "must be a command, or a JSON list of strings");
  }
  return list;
}

/** Opens the file that a flag names. It is read while it is sent. */
export async function openInputFile(flag: string, path: string): Promise<Blob> {
  try {
    await access(path, constants.R_OK);
    return (await openAsBlob(path)) as unknown as Blob;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw flagError(flag, path, `must be a file that can be read (${reason})`);
  }
}

/** Splits `KEY=VALUE` at the first separator; without one, the value is undefined. */
export function splitPair(text: string, separator = "="): [key: string, value: string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

export function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
