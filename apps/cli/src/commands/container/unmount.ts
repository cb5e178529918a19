import type { Client } from "@podfleet/client/client";

import type { Command } from "../../command.ts";
import { flagError } from "../../flags/flag-error.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, exitCodeOf, forEachTarget } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

interface UnmountFlags {
  readonly all: boolean;
  readonly force: boolean;
}

export function unmountCommand(shell: Shell): Command {
  return verb(shell, {
    name: "unmount",
    description: "Take back one mount of containers' root filesystems",
    examples: ["unmount web", "umount --force job", "umount --all"],
  })
    .alias("umount")
    .option("-a, --all", "of every container that is mounted", false)
    .option("-f, --force", "take back all mounts of a container at once", false)
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], { all, force }: UnmountFlags) => {
        if (all && names.length > 0) throw flagError("--all", "true", "must be used without names");
        const targets = all
          ? await mountedContainers(client)
          : await chosenTargets(client, names, undefined);
        const failures = await forEachTarget(shell, targets, async (container) =>
          shell.mutate(
            async ({ api }, operationId) =>
              await api.containers.unmount.mutate({ operationId, container, force }),
          ),
        );
        return exitCodeOf(failures);
      }),
    );
}

async function mountedContainers(client: Client): Promise<string[]> {
  const containers = await client.api.containers.list.query({ all: true });
  return containers.filter(({ mount }) => mount !== undefined).map(({ id }) => id);
}
