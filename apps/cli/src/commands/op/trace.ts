import { traceIdSchema } from "@podfleet/model/ids";

import type { Command } from "../../command.ts";
import { parseChoice } from "../../flags/flag-error.ts";
import { parseOperationId } from "../../flags/operation-id.ts";
import { printJson } from "../../output/json.ts";
import { traceTree } from "../../output/trace-tree.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

export function traceCommand(shell: Shell): Command {
  return verb(shell, {
    name: "trace",
    description: "Show the trace of an operation, from its caller to the runtime's calls",
    examples: [
      "trace 01936f2e-7b1c-7cc3-98c4-dc0c0c07398f",
      "trace $(podfleet op ls --quiet --limit 1)",
      "trace 4bf92f3577b34da6a3ce929d0e0e4736",
    ],
  })
    .option("--format <format>", "tree or json", "tree")
    .argument("<operation>", "id of an operation or of a trace")
    .action(
      connected(shell, async (client, id: string, flags: { readonly format: string }) => {
        const format = parseChoice("--format", flags.format, ["tree", "json"]);
        const trace = await client.api.traces.get.query(
          traceIdSchema.safeParse(id).success
            ? { traceId: id }
            : { operationId: parseOperationId(id) },
        );
        if (format === "json") return await printJson(shell.stdout, trace);
        const services = new Set(trace.spans.map(({ serviceName }) => serviceName));
        const { columns } = shell.stdout;
        const lines = [
          `Trace ${trace.traceId}: ${trace.spans.length} spans of ${[...services].join(", ")}`,
          ...traceTree(trace.spans, columns),
        ];
        await shell.stdout.print(lines.join("\n"));
      }),
    );
}
