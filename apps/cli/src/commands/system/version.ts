import type { ApiOutputs } from "@podfleet/client/api";
import { createClient } from "@podfleet/client/client";
import { PodfleetError } from "@podfleet/model/errors";

import type { Command } from "../../command.ts";
import { getContext } from "../../config.ts";
import { parseChoice } from "../../flags/flag-error.ts";
import { printJson } from "../../output/json.ts";
import { alignColumns } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { verb } from "../../verb.ts";
import { version } from "../../version.ts";

/** It is asked when something is wrong, so it answers without a control plane too, and soon. */
const answerMaxMs = 2_000;

type Server = { readonly url: string } & ApiOutputs["system"]["info"];

export function versionCommand(shell: Shell): Command {
  return verb(shell, {
    name: "version",
    description: "Show the versions of this program and of the control plane",
    examples: ["version", "version --format json"],
  })
    .option("--format <format>", "text or json", "text")
    .action(async (flags: { readonly format: string }) => {
      const format = parseChoice("--format", flags.format, ["text", "json"]);
      const client = { version, node: process.version };
      const server = await askServer(shell);
      if (format === "json") {
        const isError = server instanceof PodfleetError;
        return await printJson(shell.stdout, {
          client,
          server: isError ? null : server,
          ...(isError ? { error: server.toWire() } : {}),
        });
      }
      const lines = [
        ["Client:", `podfleet ${version} on Node ${process.version}`],
        ["Control plane:", describe(server)],
      ];
      await shell.stdout.print(alignColumns(lines).join("\n"));
    });
}

function describe(server: Server | PodfleetError): string {
  if (server instanceof PodfleetError) return `unknown (${server.message})`;
  return `podfleet ${server.version}, protocol ${server.protocolVersion}, at ${server.url}`;
}

async function askServer(shell: Shell): Promise<Server | PodfleetError> {
  try {
    const client = createClient(await getContext(shell.config));
    const signal = AbortSignal.timeout(answerMaxMs);
    const info = await client.api.system.info.query(undefined, { signal });
    return { url: client.url, ...info };
  } catch (error) {
    return PodfleetError.from(error);
  }
}
