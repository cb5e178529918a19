import type { ApiOutputs } from "@podfleet/client/api";
import { createClient } from "@podfleet/client/client";
import { PodfleetError } from "@podfleet/model/errors";

import type { Command } from "../../command.ts";
import { getContext } from "../../config.ts";
import { addFormatFlag, type FormatFlags, parseFormat } from "../../flags/format.ts";
import { printReport } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { verb } from "../../verb.ts";
import { version } from "../../version.ts";

/** Time limit for the control plane's answer. The command works without a control plane too. */
const answerMaxMs = 2_000;

type Server = { readonly url: string } & ApiOutputs["system"]["info"];

export function versionCommand(shell: Shell): Command {
  const command = verb(shell, {
    name: "version",
    description: "Show the versions of this program and of the control plane",
    examples: ["version", "version --format json"],
  });
  return addFormatFlag(command).action(async (flags: FormatFlags) => {
    const format = parseFormat(flags);
    const client = { version, node: process.version };
    const server = await askServer(shell);
    const json =
      server instanceof PodfleetError
        ? { client, server: null, error: server.toWire() }
        : { client, server };
    const rows = [
      ["Client:", `podfleet ${version} on Node ${process.version}`],
      ["Control plane:", describe(server)],
    ];
    await printReport(shell.stdout, format, { json, rows });
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
