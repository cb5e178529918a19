import type { Client } from "@podfleet/client/client";
import type { ContainerSummary } from "@podfleet/model/container/record";

import type { Command } from "../../command.ts";
import { reportFailure } from "../../failure.ts";
import { printList } from "../../output/table.ts";
import type { Columns } from "../../output/table.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface MountFlags {
  readonly all: boolean;
  readonly trunc: boolean;
  readonly format?: string;
}

export function mountCommand(shell: Shell): Command {
  return verb(shell, {
    name: "mount",
    description:
      "Mount containers' root filesystems on their hosts, and print where; without names, list those that are mounted",
    examples: ["mount", "mount web", "mount --all"],
  })
    .option("-a, --all", "mount every container", false)
    .option("--no-trunc", "do not shorten ids")
    .option("--format <format>", "of the list: json, or a list of columns")
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: MountFlags) => {
        if (names.length === 0 && !flags.all) return await listMounts(shell, client, flags);
        const all = flags.all ? await client.api.containers.list.query({ all: true }) : [];
        const targets = flags.all ? all.map(({ id }) => id) : names;
        let exitCode = 0;
        for (const container of targets) {
          try {
            const mounted = await shell.mutate(
              async ({ api }, operationId) =>
                await api.containers.mount.mutate({ operationId, container }),
            );
            const { id, mount } = mounted.container;
            const path = mount?.path ?? "";
            await shell.stdout.print(targets.length === 1 ? path : `${id} ${path}`);
          } catch (error) {
            exitCode = await reportFailure(shell, error);
          }
        }
        return exitCode;
      }),
    );
}

async function listMounts(shell: Shell, client: Client, flags: MountFlags): Promise<void> {
  const containers = await client.api.containers.list.query({ all: true });
  const mounted = containers.filter(({ mount }) => mount !== undefined);
  const columns: Columns<ContainerSummary> = {
    id: { heading: "CONTAINER ID", value: ({ id }) => (flags.trunc ? id.slice(0, 12) : id) },
    name: { heading: "NAME", value: ({ name }) => name },
    host: { heading: "HOST", value: ({ host }) => host.name },
    path: { heading: "PATH", value: ({ mount }) => mount?.path ?? "" },
    count: { heading: "COUNT", value: ({ mount }) => String(mount?.count ?? 0) },
  };
  const json = ({ id, name, host, mount }: ContainerSummary) => ({
    ...{ Id: id, Names: [name], Host: host.name },
    ...{ MountPoint: mount?.path, Count: mount?.count },
  });
  const shown = ["id", "host", "path"];
  await printList(shell.stdout, mounted, {
    ...{ columns, shown, json },
    options: { ...flags, noheading: true },
  });
}
