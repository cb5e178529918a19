/** `podfleet host`. */
import type { HostRecord } from "@podfleet/model/host";

import type { Command } from "../command.ts";
import { addListFlags, type ListFlags, listOptions } from "../flags/format.ts";
import { printJson } from "../output/output.ts";
import { humanMemory, shortAge } from "../output/quantity.ts";
import { type Columns, joinLabels, printList } from "../output/table.ts";
import type { Shell } from "../shell.ts";
import { connected, verb } from "../verb.ts";

export function hostLsCommand(shell: Shell): Command {
  const ls = verb(shell, {
    name: "ls",
    description: "List the hosts of the fleet with their reserved resources",
    examples: [
      "host ls",
      "host ls --format name,state,labels --noheading",
      "host ls --format json",
    ],
  }).alias("list");
  return addListFlags(ls, "name").action(
    connected(shell, async (client, flags: ListFlags) => {
      await printList(shell.stdout, await client.api.hosts.list.query(), {
        columns: hostColumns(Date.now()),
        shown: ["name", "state", "cpus", "memory", "containers", "runtime", "seen", "labels"],
        json: (host) => host,
        options: listOptions(flags, "name"),
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
    labels: { heading: "LABELS", value: ({ labels }) => joinLabels(labels) },
  };
}

export function hostInspectCommand(shell: Shell): Command {
  return verb(shell, {
    name: "inspect",
    description: "Show all details of hosts as JSON",
    examples: ["host inspect host-1", "host inspect host-1 host-2"],
  })
    .argument("<host...>", "names or ids")
    .action(
      connected(shell, async (client, names: string[]) => {
        const hosts = names.map(async (host) => await client.api.hosts.inspect.query({ host }));
        await printJson(shell.stdout, await Promise.all(hosts));
      }),
    );
}
