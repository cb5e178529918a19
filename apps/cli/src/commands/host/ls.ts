import type { HostRecord } from "@podfleet/model/host";

import type { Command } from "../../command.ts";
import { humanMemory, shortAge } from "../../output/quantity.ts";
import { printList } from "../../output/table.ts";
import type { Columns } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface HostListFlags {
  readonly quiet: boolean;
  readonly format?: string;
  readonly noheading: boolean;
}

export function hostLsCommand(shell: Shell): Command {
  return verb(shell, {
    name: "ls",
    description: "List the fleet's hosts with what is reserved of them",
    examples: [
      "host ls",
      "host ls --format name,state,labels --noheading",
      "host ls --format json",
    ],
  })
    .alias("list")
    .option("-q, --quiet", "print names only", false)
    .option("--format <format>", "json, or a list of columns")
    .option("--noheading", "leave out the headings", false)
    .action(
      connected(shell, async (client, flags: HostListFlags) => {
        await printList(shell.stdout, await client.api.hosts.list.query(), {
          columns: hostColumns(Date.now()),
          shown: ["name", "state", "cpus", "memory", "containers", "runtime", "seen", "labels"],
          json: (host) => host,
          options: flags.quiet ? { format: "name", noheading: true } : flags,
        });
      }),
    );
}

function hostColumns(nowMs: number): Columns<HostRecord> {
  return {
    name: { heading: "NAME", value: ({ name }) => name },
    id: { heading: "ID", value: ({ id }) => id },
    state: { heading: "STATE", value: ({ state }) => state },
    cpus: {
      heading: "CPUS",
      value: ({ reserved, capacity }) =>
        `${reserved.cpuMillis / 1000}/${capacity.cpuMillis / 1000}`,
    },
    memory: {
      heading: "MEMORY",
      value: ({ reserved, capacity }) =>
        `${humanMemory(reserved.memoryBytes)}/${humanMemory(capacity.memoryBytes)}`,
    },
    containers: {
      heading: "CONTAINERS",
      value: ({ containers }) => `${containers.running}/${containers.total}`,
    },
    runtime: { heading: "RUNTIME", value: ({ runtime }) => `${runtime.name} ${runtime.version}` },
    monitor: { heading: "MONITOR", value: ({ monitorVersion }) => monitorVersion },
    kernel: { heading: "KERNEL", value: ({ kernelVersion }) => kernelVersion },
    cgroups: { heading: "CGROUPS", value: ({ cgroupMode }) => cgroupMode },
    agent: { heading: "AGENT", value: ({ agentVersion }) => agentVersion },
    seen: { heading: "SEEN", value: ({ lastSeenAt }) => `${shortAge(lastSeenAt, nowMs)} ago` },
    labels: {
      heading: "LABELS",
      value: ({ labels }) =>
        Object.entries(labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(","),
    },
  };
}
