/** `podfleet stop`, `kill` and `restart`. */
import { hasCode } from "@podfleet/model/errors";
import { findSignalNumber } from "@podfleet/model/signal";
import { containerCan } from "@podfleet/model/verb/container-methods";

import type { Command } from "../../command.ts";
import { flagError, parseCount } from "../../flags/values.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, mutateEach } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

const running = { states: ["running"] } as const;

interface StopFlags extends TimeFlags {
  readonly all: boolean;
  readonly ignore: boolean;
}

export function stopCommand(shell: Shell): Command {
  const stop = verb(shell, {
    name: "stop",
    description: "Stop containers with their stop signal, and after a time with SIGKILL",
    examples: ["stop web", "stop --time 2 web job", "stop --all"],
  })
    .option("-a, --all", "stop every running container", false)
    .option("-i, --ignore", "ignore containers that do not exist", false);
  return addTimeFlag(stop)
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: StopFlags) => {
        const timeoutSeconds = parseTimeout(flags);
        const targets = await chosenTargets(client, names, flags.all ? running : undefined);
        return await mutateEach(shell, targets, {
          mutate: async (api, input) =>
            await api.containers.stop.mutate({ ...input, timeoutSeconds }),
          ignores: (error) =>
            // A container that does not run counts as stopped, as with podman.
            hasCode(error, "ALREADY_STOPPED") ||
            hasNeverRun(error) ||
            (flags.ignore && hasCode(error, "CONTAINER_NOT_FOUND")),
        });
      }),
    );
}

function hasNeverRun(error: unknown): boolean {
  return hasCode(error, "STATE_INVALID") && error.details?.["state"] === "configured";
}

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
        const signal = parseSignal(flags.signal);
        const targets = await chosenTargets(client, names, flags.all ? running : undefined);
        return await mutateEach(shell, targets, {
          mutate: async (api, input) => await api.containers.kill.mutate({ ...input, signal }),
        });
      }),
    );
}

function parseSignal(text: string): number {
  const signal = findSignalNumber(text);
  if (signal !== undefined) return signal;
  throw flagError(
    "--signal",
    text,
    'must be a name such as "TERM" or "SIGTERM", or a number from 1 to 64',
  );
}

interface RestartFlags extends TimeFlags {
  readonly all: boolean;
  readonly running: boolean;
}

export function restartCommand(shell: Shell): Command {
  const restart = verb(shell, {
    name: "restart",
    description: "Stop containers and start them again; start those that do not run",
    examples: ["restart web", "restart --time 2 web job", "restart --running"],
  })
    .option("-a, --all", "restart every container that is not paused", false)
    .option("--running", "restart every running container", false);
  return addTimeFlag(restart)
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: RestartFlags) => {
        const timeoutSeconds = parseTimeout(flags);
        const all = flags.all ? { states: containerCan.restart.states } : undefined;
        const targets = await chosenTargets(client, names, flags.running ? running : all);
        return await mutateEach(shell, targets, {
          mutate: async (api, input) =>
            await api.containers.restart.mutate({ ...input, timeoutSeconds }),
        });
      }),
    );
}

interface TimeFlags {
  readonly time?: string;
}

function addTimeFlag(command: Command): Command {
  return command.option(
    "-t, --time <seconds>",
    "time from the stop signal to SIGKILL; 0 sends SIGKILL at once",
  );
}

function parseTimeout({ time }: TimeFlags): number | undefined {
  return time === undefined ? undefined : parseCount("--time", time);
}
