import { containerCan } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";

import { attachToRun } from "../../attached/attached-run.ts";
import type { Command } from "../../command.ts";
import { getDetachKeys } from "../../config.ts";
import { addSessionFlags, parseOnDisconnect } from "../../flags/session-flags.ts";
import type { SessionFlags } from "../../flags/session-flags.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, exitCodeOf, forEachTarget } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

interface StartFlags extends SessionFlags {
  readonly all: boolean;
  readonly attach: boolean;
  readonly interactive: boolean;
  readonly sigProxy: boolean;
}

export function startCommand(shell: Shell): Command {
  const command = verb(shell, {
    name: "start",
    description: "Start containers, and first those that they require",
    examples: ["start web", "start --attach job", "start -ai shell", "start --all"],
  });
  return addSessionFlags(command)
    .option("-a, --attach", "show the output of this run and end with its exit code", false)
    .option("-i, --interactive", "attach, and pass standard input on", false)
    .option("--all", "start every container that can be started", false)
    .option("--no-sig-proxy", "with --attach, do not forward signals to the command")
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: StartFlags) => {
        const all = flags.all ? { states: containerCan.start.states } : undefined;
        const targets = await chosenTargets(client, names, all);
        if (flags.attach || flags.interactive) return await startAttached(shell, targets, flags);
        return exitCodeOf(
          await forEachTarget(shell, targets, async (container) =>
            shell.mutate(
              async ({ api }, operationId) =>
                await api.containers.start.mutate({ operationId, container }),
            ),
          ),
        );
      }),
    );
}

async function startAttached(
  shell: Shell,
  targets: readonly string[],
  flags: StartFlags,
): Promise<number> {
  const [target, ...others] = targets;
  if (target === undefined || others.length > 0) {
    throw new PodfleetError("INVALID_INPUT", "Cannot attach to more than one container: name one");
  }
  const detachKeys = await getDetachKeys(shell.config, flags.detachKeys);
  const onDisconnect = parseOnDisconnect(flags.onDisconnect ?? "keep");
  const { api } = await shell.client();
  const { id, state, spec } = await api.containers.inspect.query({ container: target });
  return await attachToRun(shell, {
    container: id,
    // As podman: one that runs already is attached to.
    starts: state !== "running",
    tty: spec.tty,
    input: flags.interactive,
    detachKeys,
    onDisconnect,
    proxySignals: flags.sigProxy,
    restarts: spec.restartPolicy.name !== "no",
  });
}
