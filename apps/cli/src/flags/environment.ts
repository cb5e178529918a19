/** Environment variables and labels: `KEY=VALUE` on the command line, and in files with one entry per line. */
import { readFile } from "node:fs/promises";

import { flagError, splitPair } from "./values.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Parses podman's `--env`. Later entries override earlier ones. `KEY` alone takes the caller's value, if it has one; `PREFIX*` takes
 * all variables of the caller with that prefix.
 */
export function parseEnvironment(
  entries: readonly string[],
  caller: Environment,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const entry of entries) {
    const [name, value] = splitPair(entry);
    if (name === "") throw flagError("--env", entry, 'must be "KEY=VALUE" or "KEY"');
    if (value !== undefined) env[name] = value;
    else Object.assign(env, inherited(name, caller));
  }
  return env;
}

function inherited(name: string, caller: Environment): Record<string, string> {
  const fits = name.endsWith("*")
    ? (key: string): boolean => key.startsWith(name.slice(0, -1))
    : (key: string): boolean => key === name;
  const pairs = Object.entries(caller).filter(([key, value]) => fits(key) && value !== undefined);
  return Object.fromEntries(pairs as [string, string][]);
}

/** Parses `KEY=VALUE`, or `KEY` for an empty value. Later entries override earlier ones. */
export function parseLabels(flag: string, entries: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const entry of entries) {
    const [key, value = ""] = splitPair(entry);
    if (key === "") throw flagError(flag, entry, 'must be "KEY=VALUE" or "KEY"');
    labels[key] = value;
  }
  return labels;
}

/** Reads the entries of the files that a flag names. */
export async function readEntries(flag: string, paths: readonly string[]): Promise<string[]> {
  const files = paths.map(async (path) => {
    try {
      return entriesOfFile(await readFile(path, "utf8"));
    } catch (error) {
      throw flagError(flag, path, `must be a file that can be read (${String(error)})`);
    }
  });
  return (await Promise.all(files)).flat();
}

/** Blank lines and lines that begin with `#` are skipped. */
export function entriesOfFile(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"));
}
