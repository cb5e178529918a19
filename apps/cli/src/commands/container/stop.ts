import { hasCode } from "@podfleet/model/errors";

import type { Command } from "../../command.ts";
import { parseCount } from "../../flags/flag-error.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, exitCodeOf, forEachTarget } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

interface StopFlags {
  readonly all: boolean;
  readonly ignore: boolean;
  readonly time?: string;
}

export function stopCommand(shell: Shell): Command {
  return verb(shell, {
    name: "stop",
    description: "Stop containers: the stop signal, and SIGKILL after a time",
    examples: ["stop web", "stop --time 2 web job", "stop --all"],
  })
    .option("-a, --all", "stop every running container", false)
    .option("-i, --ignore", "pass over containers that do not exist", false)
    .option("-t, --time <seconds>", "from the stop signal to SIGKILL; 0 kills at once")
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: StopFlags) => {
        const timeoutSeconds =
          flags.time === undefined ? undefined : parseCount("--time", flags.time);
        const all = flags.all ? ({ states: ["running"] } as const) : undefined;
        const targets = await chosenTargets(client, names, all);
        const failures = await forEachTarget(shell, targets, async (container) => {
          try {
            await shell.mutate(
              async ({ api }, operationId) =>
                await api.containers.stop.mutate({ operationId, container, timeoutSeconds }),
            );
          } catch (error) {
            // Safe to ignore: it is as the caller wants it, as podman has it.
            if (hasCode(error, "ALREADY_STOPPED") || hasNeverRun(error)) return;
            if (flags.ignore && hasCode(error, "CONTAINER_NOT_FOUND")) return;
            throw error;
          }
        });
        return exitCodeOf(failures);
      }),
    );
}

function hasNeverRun(error: unknown): boolean {
  return hasCode(error, "STATE_INVALID") && error.details?.["state"] === "configured";
}
