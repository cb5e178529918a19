import { operationStatuses } from "@podfleet/model/operation";

import type { Command } from "../../command.ts";
import { parseChoice, parseCount } from "../../flags/flag-error.ts";
import { printList } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";
import { operationColumns } from "./columns.ts";

interface OperationListFlags {
  readonly limit: string;
  readonly container?: string;
  readonly host?: string;
  readonly status?: string;
  readonly quiet: boolean;
  readonly format?: string;
  readonly noheading: boolean;
}

export function opLsCommand(shell: Shell): Command {
  return verb(shell, {
    name: "ls",
    description: "List operations, the latest first",
    examples: ["op ls", "op ls --container web --status failed", "op ls --quiet --limit 1"],
  })
    .alias("list")
    .option("-n, --limit <number>", "the last so many", "50")
    .option("--container <container>", "those on one container")
    .option("--host <host>", "those on one host")
    .option("--status <status>", operationStatuses.join(", "))
    .option("-q, --quiet", "print ids only", false)
    .option("--format <format>", "json, or a list of columns")
    .option("--noheading", "leave out the headings", false)
    .action(
      connected(shell, async (client, flags: OperationListFlags) => {
        const { container, host, status } = flags;
        const operations = await client.api.operations.list.query({
          limit: parseCount("--limit", flags.limit),
          ...(container === undefined ? {} : { container }),
          ...(host === undefined ? {} : { host }),
          ...(status === undefined
            ? {}
            : { status: parseChoice("--status", status, operationStatuses) }),
        });
        await printList(shell.stdout, operations, {
          columns: operationColumns(Date.now()),
          shown: ["id", "verb", "container", "host", "status", "caller", "created", "took"],
          json: (operation) => operation,
          options: flags.quiet ? { format: "id", noheading: true } : flags,
        });
      }),
    );
}
