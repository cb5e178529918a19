/** `podfleet op`: operations and their traces. */
import { humanAge } from "@podfleet/base/human-duration";
import { traceIdSchema } from "@podfleet/model/ids";
import { operationStatuses } from "@podfleet/model/operation";
import type { OperationRecord } from "@podfleet/model/operation";

import type { Command } from "../command.ts";
import { addFormatFlag, addListFlags, listOptions, parseFormat } from "../flags/format.ts";
import type { FormatFlags, ListFlags } from "../flags/format.ts";
import { parseChoice, parseCount, parseOperationId } from "../flags/values.ts";
import { printJson } from "../output/output.ts";
import { preciseDuration } from "../output/quantity.ts";
import { type Columns, printList, printReport } from "../output/table.ts";
import { traceTree } from "../output/trace-tree.ts";
import type { Shell } from "../shell.ts";
import { connected, verb } from "../verb.ts";

interface OperationListFlags extends ListFlags {
  readonly limit: string;
  readonly container?: string;
  readonly host?: string;
  readonly status?: string;
}

export function opLsCommand(shell: Shell): Command {
  const ls = verb(shell, {
    name: "ls",
    description: "List operations, newest first",
    examples: ["op ls", "op ls --container web --status failed", "op ls --quiet --limit 1"],
  })
    .alias("list")
    .option("-n, --limit <number>", "most operations to list", "50")
    .option("--container <container>", "operations on one container")
    .option("--host <host>", "operations on one host")
    .option("--status <status>", operationStatuses.join(", "));
  return addListFlags(ls).action(
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
        options: listOptions(flags),
      });
    }),
  );
}

function operationColumns(nowMs: number): Columns<OperationRecord> {
  return {
    id: { heading: "OPERATION", value: ({ id }) => id },
    verb: { heading: "VERB", value: (operation) => operation.verb },
    container: { heading: "CONTAINER", value: ({ container }) => container?.name ?? "" },
    host: { heading: "HOST", value: ({ host }) => host?.name ?? "" },
    status: { heading: "STATUS", value: ({ status }) => status },
    error: { heading: "ERROR", value: ({ error }) => error?.code ?? "" },
    caller: { heading: "CALLER", value: ({ caller }) => caller },
    created: { heading: "CREATED", value: ({ createdAt }) => humanAge(createdAt, nowMs) },
    took: { heading: "TOOK", value: operationDuration },
    trace: { heading: "TRACE", value: ({ traceId }) => traceId ?? "" },
  };
}

/** @returns an empty string while the operation is pending */
function operationDuration({ createdAt, finishedAt }: OperationRecord): string {
  return finishedAt === undefined
    ? ""
    : preciseDuration(Date.parse(finishedAt) - Date.parse(createdAt));
}

export function opShowCommand(shell: Shell): Command {
  const show = verb(shell, {
    name: "show",
    description: "Show one operation",
    examples: ["op show 01936f2e-7b1c-7cc3-98c4-dc0c0c07398f"],
  });
  return addFormatFlag(show)
    .argument("<operation>", "id")
    .action(
      connected(shell, async (client, text: string, flags: FormatFlags) => {
        const format = parseFormat(flags);
        const operationId = parseOperationId(text);
        const operation = await client.api.operations.get.query({ operationId });
        const report = { json: operation, rows: operationRows(operation) };
        await printReport(shell.stdout, format, report);
      }),
    );
}

function operationRows(operation: OperationRecord): string[][] {
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
  return fields.flatMap(([name, value]) => (value ? [[name, value]] : []));
}

export function traceCommand(shell: Shell): Command {
  return verb(shell, {
    name: "trace",
    description: "Show the trace of an operation, from its caller to the OCI runtime",
    examples: [
      "trace 01936f2e-7b1c-7cc3-98c4-dc0c0c07398f",
      "trace $(podfleet op ls --quiet --limit 1)",
      "trace 4bf92f3577b34da6a3ce929d0e0e4736",
    ],
  })
    .option("--format <format>", "tree or json", "tree")
    .argument("<operation>", "id of an operation or of a trace")
    .action(
      connected(shell, async (client, id: string, flags: FormatFlags) => {
        const format = parseChoice("--format", flags.format, ["tree", "json"]);
        const trace = await client.api.traces.get.query(
          traceIdSchema.safeParse(id).success
            ? { traceId: id }
            : { operationId: parseOperationId(id) },
        );
        if (format === "json") return await printJson(shell.stdout, trace);
        const services = new Set(trace.spans.map(({ serviceName }) => serviceName));
        const lines = [
          `Trace ${trace.traceId}: ${trace.spans.length} spans of ${[...services].join(", ")}`,
          ...traceTree(trace.spans, shell.stdout.columns),
        ];
        await shell.stdout.print(lines.join("\n"));
      }),
    );
}
