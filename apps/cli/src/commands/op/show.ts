import type { OperationRecord } from "@podfleet/model/operation";

import type { Command } from "../../command.ts";
import { parseChoice } from "../../flags/flag-error.ts";
import { parseOperationId } from "../../flags/operation-id.ts";
import { printJson } from "../../output/json.ts";
import { alignColumns } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";
import { operationDuration } from "./columns.ts";

export function opShowCommand(shell: Shell): Command {
  return verb(shell, {
    name: "show",
    description: "Show one operation",
    examples: ["op show 01936f2e-7b1c-7cc3-98c4-dc0c0c07398f"],
  })
    .option("--format <format>", "text or json", "text")
    .argument("<operation>", "id")
    .action(
      connected(shell, async (client, text: string, flags: { readonly format: string }) => {
        const format = parseChoice("--format", flags.format, ["text", "json"]);
        const operationId = parseOperationId(text);
        const operation = await client.api.operations.get.query({ operationId });
        if (format === "json") return await printJson(shell.stdout, operation);
        await shell.stdout.print(describe(operation));
      }),
    );
}

function describe(operation: OperationRecord): string {
  const { container, host, error, traceId, finishedAt } = operation;
  const fields: [string, string | undefined][] = [
    ["Operation:", operation.id],
    ["Verb:", operation.verb],
    ["Status:", operation.status],
    ["Container:", container && `${container.name} (${container.id.slice(0, 12)})`],
    ["Host:", host?.name],
    ["Caller:", operation.caller],
    ["Created:", operation.createdAt],
    ["Finished:", finishedAt && `${finishedAt} (after ${operationDuration(operation)})`],
    ["Error:", error && `${error.code}: ${error.message}`],
    ["Trace:", traceId],
  ];
  return alignColumns(fields.flatMap(([name, value]) => (value ? [[name, value]] : []))).join("\n");
}
