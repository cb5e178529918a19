import { hasCode } from "@podfleet/model/errors";
import { containerCan } from "@podfleet/model/verb/container-methods";

import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, forEachTarget } from "../../targets.ts";
import type { TargetFailure } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

interface RemoveFlags {
  readonly all: boolean;
  readonly force: boolean;
  readonly depend: boolean;
  readonly ignore: boolean;
}

export function rmCommand(shell: Shell): Command {
  return verb(shell, {
    name: "rm",
    description:
      "Remove containers. Fails with 1 when a container does not exist, 2 when it runs or others depend on it, else 125",
    examples: ["rm job", "rm --force web", "rm --all", "rm --depend database"],
  })
    .option("-a, --all", "remove every container; with --force running ones too", false)
    .option("-f, --force", "kill running containers, ignore containers that do not exist", false)
    .option("--depend", "first remove the containers that depend on it", false)
    .option("-i, --ignore", "ignore containers that do not exist", false)
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: RemoveFlags) => {
        const method = flags.force ? containerCan.forceRemove : containerCan.remove;
        const targets = await chosenTargets(client, names, flags.all ? method : undefined);
        const failures = await forEachTarget(shell, targets, async (container) =>
          remove(shell, container, flags),
        );
        return exitCodeOfRemoval(failures);
      }),
    );
}

async function remove(shell: Shell, container: string, flags: RemoveFlags): Promise<void> {
  const { force, depend: dependents } = flags;
  try {
    await shell.mutate(
      async ({ api }, operationId) =>
        await api.containers.remove.mutate({ operationId, container, force, dependents }),
    );
  } catch (error) {
    // With --all, a missing container was removed meanwhile, or as a dependent of another.
    const mayBeGone = flags.ignore || force || flags.all;
    if (!(mayBeGone && hasCode(error, "CONTAINER_NOT_FOUND"))) throw error;
  }
}

/** podman's exit codes, as in the description. */
function exitCodeOfRemoval(failures: readonly TargetFailure[]): number {
  const codes = failures.map(({ error }) => {
    if (hasCode(error, "CONTAINER_NOT_FOUND")) return 1;
    return hasCode(error, "STATE_INVALID", "DEPENDENCY_IN_USE") ? 2 : 125;
  });
  return [125, 2, 1].find((code) => codes.some((each) => each === code)) ?? 0;
}
