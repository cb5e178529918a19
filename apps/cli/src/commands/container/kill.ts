import { findSignalNumber } from "@podfleet/model/signal";

import type { Command } from "../../command.ts";
import { flagError } from "../../flags/flag-error.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, exitCodeOf, forEachTarget } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

interface KillFlags {
  readonly all: boolean;
  readonly signal: string;
}

export function killCommand(shell: Shell): Command {
  return verb(shell, {
    name: "kill",
    description: "Send a signal to the command of running containers",
    examples: ["kill web", "kill --signal USR1 web", "kill --all"],
  })
    .option("-a, --all", "signal every running container", false)
    .option("-s, --signal <signal>", "name or number", "KILL")
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: KillFlags) => {
        const signal = findSignalNumber(flags.signal);
        if (signal === undefined) {
          throw flagError(
            "--signal",
            flags.signal,
            'must be a name such as "TERM" or "SIGTERM", or a number from 1 to 64',
          );
        }
        const all = flags.all ? ({ states: ["running"] } as const) : undefined;
        const targets = await chosenTargets(client, names, all);
        const failures = await forEachTarget(shell, targets, async (container) =>
          shell.mutate(
            async ({ api }, operationId) =>
              await api.containers.kill.mutate({ operationId, container, signal }),
          ),
        );
        return exitCodeOf(failures);
      }),
    );
}
