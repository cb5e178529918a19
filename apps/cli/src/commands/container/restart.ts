import { containerCan } from "@podfleet/model/container/state";

import type { Command } from "../../command.ts";
import { parseCount } from "../../flags/flag-error.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, exitCodeOf, forEachTarget } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

interface RestartFlags {
  readonly all: boolean;
  readonly running: boolean;
  readonly time?: string;
}

export function restartCommand(shell: Shell): Command {
  return verb(shell, {
    name: "restart",
    description: "Stop containers and start them again; those that do not run are started",
    examples: ["restart web", "restart --time 2 web job", "restart --running"],
  })
    .option("-a, --all", "restart every container that is not paused", false)
    .option("--running", "restart every running container", false)
    .option("-t, --time <seconds>", "from the stop signal to SIGKILL; 0 kills at once")
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: RestartFlags) => {
        const timeoutSeconds =
          flags.time === undefined ? undefined : parseCount("--time", flags.time);
        const targets = await chosenTargets(client, names, statesOf(flags));
        const failures = await forEachTarget(shell, targets, async (container) =>
          shell.mutate(
            async ({ api }, operationId) =>
              await api.containers.restart.mutate({ operationId, container, timeoutSeconds }),
          ),
        );
        return exitCodeOf(failures);
      }),
    );
}

function statesOf({ all, running }: RestartFlags) {
  if (running) return { states: ["running"] } as const;
  return all ? { states: containerCan.restart.states } : undefined;
}
