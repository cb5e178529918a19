import type { FileChange } from "@podfleet/model/file";

import type { Command } from "../../command.ts";
import { parseChoice } from "../../flags/flag-error.ts";
import { printJson } from "../../output/json.ts";
import { oneLine } from "../../output/one-line.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface DiffFlags {
  readonly format?: string;
}

export function diffCommand(shell: Shell): Command {
  return verb(shell, {
    name: "diff",
    description:
      "Show what a container has added (A), changed (C) and deleted (D) in its root filesystem",
    examples: ["diff web", "diff --format json web"],
  })
    .option("--format <format>", "json")
    .argument("<container>", "name, id or id prefix")
    .action(
      connected(shell, async (client, container: string, flags: DiffFlags) => {
        if (flags.format !== undefined) parseChoice("--format", flags.format, ["json"]);
        const changes = await client.api.containers.diff.query({ container });
        if (flags.format === "json") return await printJson(shell.stdout, byKind(changes));
        for (const { kind, path } of changes) await shell.stdout.print(`${kind} ${oneLine(path)}`);
      }),
    );
}

/** podman's form; a kind without changes is left out. */
function byKind(changes: readonly FileChange[]): Record<string, string[]> {
  const names = { C: "changed", A: "added", D: "deleted" } as const;
  const groups: Record<string, string[]> = {};
  for (const { kind, path } of changes) (groups[names[kind]] ??= []).push(path);
  return groups;
}
