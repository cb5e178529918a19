/** Flags that say how a command prints: `--format`, `--quiet` and `--noheading`. */
import type { Command } from "../command.ts";
import type { ListOptions } from "../output/table.ts";
import { parseChoice } from "./values.ts";

export interface FormatFlags {
  readonly format: string;
}

export function addFormatFlag(command: Command): Command {
  return command.option("--format <format>", "text or json", "text");
}

export function parseFormat({ format }: FormatFlags): "text" | "json" {
  return parseChoice("--format", format, ["text", "json"]);
}

export interface ListFlags {
  readonly quiet: boolean;
  readonly format?: string;
  readonly noheading: boolean;
}

/** Adds the flags of a list; `key` is the column that `--quiet` prints. */
export function addListFlags(command: Command, key: "id" | "name" = "id"): Command {
  return command
    .option("-q, --quiet", `print ${key}s only`, false)
    .option("--format <format>", "json, or a list of columns")
    .option("--noheading", "omit the headings", false);
}

export function listOptions(flags: ListFlags, key: "id" | "name" = "id"): ListOptions {
  return flags.quiet ? { format: key, noheading: true } : flags;
}
