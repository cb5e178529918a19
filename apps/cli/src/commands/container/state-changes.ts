/** Commands that change the state of containers and have no flag but `--all`. */
import type { ContainerState } from "@podfleet/model/container/state";
import { hasCode } from "@podfleet/model/errors";
import { containerCan } from "@podfleet/model/verb/container-methods";

import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, type ContainerMutation, mutateEach } from "../../targets.ts";
import { connected, verb, type VerbText } from "../../verb.ts";

export function initCommand(shell: Shell): Command {
  return stateChange(shell, {
    name: "init",
    description: "Create the processes of containers without starting their commands",
    examples: ["init web", "init --all"],
    all: {
      description: "initialize every container that can be initialized",
      states: containerCan.init.states,
    },
    mutate: async (api, input) => await api.containers.init.mutate(input),
  });
}

export function pauseCommand(shell: Shell): Command {
  return stateChange(shell, {
    name: "pause",
    description: "Freeze all processes of containers",
    examples: ["pause web", "pause --all"],
    all: { description: "pause every running container", states: containerCan.pause.states },
    mutate: async (api, input) => await api.containers.pause.mutate(input),
  });
}

export function unpauseCommand(shell: Shell): Command {
  return stateChange(shell, {
    name: "unpause",
    description: "Continue paused containers",
    examples: ["unpause web", "unpause --all"],
    all: { description: "unpause every paused container", states: containerCan.unpause.states },
    mutate: async (api, input) => await api.containers.unpause.mutate(input),
  });
}

export function cleanupCommand(shell: Shell): Command {
  return stateChange(shell, {
    name: "cleanup",
    description:
      "Clean up mounts, processes and network of containers that have ended; a container that its restart policy is about to start is started",
    examples: ["cleanup web", "cleanup --all"],
    all: {
      description: "clean up every container that does not run",
      states: containerCan.cleanup.states,
    },
    mutate: async (api, input) => await api.containers.cleanup.mutate(input),
    ignores: (error) => hasCode(error, "CONTAINER_NOT_FOUND"),
  });
}

export function refreshCommand(shell: Shell): Command {
  return stateChange(shell, {
    name: "refresh",
    description: "Recreate containers in the OCI runtime and restore their state",
    examples: ["refresh web", "refresh --all"],
    all: { description: "refresh every container", states: containerCan.refresh.states },
    mutate: async (api, input) => await api.containers.refresh.mutate(input),
  });
}

interface StateChange extends VerbText, ContainerMutation {
  /** Containers that `--all` selects. */
  readonly all: { readonly description: string; readonly states: readonly ContainerState[] };
}

function stateChange(shell: Shell, change: StateChange): Command {
  return verb(shell, change)
    .option("-a, --all", change.all.description, false)
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: { readonly all: boolean }) => {
        const targets = await chosenTargets(client, names, flags.all ? change.all : undefined);
        return await mutateEach(shell, targets, change);
      }),
    );
}
