import type { Client } from "@podfleet/client/client";
import type { LogRecord, LogsRequest } from "@podfleet/client/logs";

import type { Command } from "../../command.ts";
import { parseTime } from "../../flags/quantities.ts";
import { parseCount } from "../../flags/values.ts";
import { gapWarning, type LinePrefix, LogWriter } from "../../output/log-writer.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface LogsFlags {
  readonly follow: boolean;
  readonly names: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly tail: string;
  readonly timestamps: boolean;
}

export function logsCommand(shell: Shell): Command {
  return verb(shell, {
    name: "logs",
    description: "Show the output of containers, their standard error on standard error",
    examples: ["logs job", "logs --follow --tail 10 web", "logs --since 10m --timestamps web"],
  })
    .option("-f, --follow", "follow the output until the container has ended", false)
    .option("-n, --names", "prefix each line with the container's name", false)
    .option(
      "--since <time>",
      "start at this time: RFC 3339, seconds since 1970, or 10m for ten minutes ago",
    )
    .option("--until <time>", "end at this time")
    .option("--tail <lines>", "number of lines from the end; -1 for all", "-1")
    .option("-t, --timestamps", "prefix each line with its time", false)
    .argument("<container...>", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: LogsFlags) => {
        const request = requestOf(flags);
        const logs = names.map(async (container) => {
          const owner = await ownerOf(client, container, { flags, alone: names.length === 1 });
          const writer = new LogWriter(shell, prefixOf(owner, flags.timestamps));
          const onGap = gapWarning(shell.stderr, container);
          const logs = { ...request, container, onGap };
          const chunks = client.followLogChunks(logs, { whenDown: "fail" });
          for await (const records of chunks) await writer.write(records);
        });
        await Promise.all(logs);
      }),
    );
}

function requestOf(flags: LogsFlags): Omit<LogsRequest, "container"> {
  const { follow, since, until, tail } = flags;
  const nowMs = Date.now();
  return {
    follow,
    ...(tail === "-1" ? {} : { tail: parseCount("--tail", tail) }),
    ...(since === undefined ? {} : { since: parseTime("--since", since, nowMs) }),
    ...(until === undefined ? {} : { until: parseTime("--until", until, nowMs) }),
  };
}

/** @returns the name or short id that marks this container's lines among others */
async function ownerOf(
  client: Client,
  container: string,
  { flags, alone }: { readonly flags: LogsFlags; readonly alone: boolean },
): Promise<string | undefined> {
  if (alone && !flags.names) return undefined;
  const { id, name } = await client.api.containers.inspect.query({ container });
  return flags.names ? name : id.slice(0, 12);
}

function prefixOf(owner: string | undefined, timestamps: boolean): LinePrefix | undefined {
  if (owner === undefined && !timestamps) return undefined;
  return (record: LogRecord) =>
    `${owner === undefined ? "" : `${owner} `}${timestamps ? `${record.timestamp} ` : ""}`;
}
