import { PodfleetError } from "@podfleet/model/errors";
import { containerCan } from "@podfleet/model/verb/container-methods";

import { attachToRun } from "../../attach/attach.ts";
import type { Command } from "../../command.ts";
import { addSessionFlags, addSignalFlag, readSessionFlags } from "../../flags/session-flags.ts";
import type { SessionFlags, SignalFlags } from "../../flags/session-flags.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, mutateEach } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";

interface StartFlags extends SessionFlags, SignalFlags {
  readonly all: boolean;
  readonly attach: boolean;
  readonly interactive: boolean;
}

export function startCommand(shell: Shell): Command {
  const command = verb(shell, {
    name: "start",
    description: "Start containers, after the containers that they require",
    examples: ["start web", "start --attach job", "start -ai shell", "start --all"],
  });
  return addSignalFlag(addSessionFlags(command))
    .option("-a, --attach", "attach: show the output of the run and end with its exit code", false)
    .option("-i, --interactive", "attach, and forward standard input", false)
    .option("--all", "start every container that can be started", false)
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: StartFlags) => {
        const all = flags.all ? { states: containerCan.start.states } : undefined;
        const targets = await chosenTargets(client, names, all);
        if (flags.attach || flags.interactive) return await startAttached(shell, targets, flags);
        return await mutateEach(shell, targets, {
          mutate: async (api, input) => await api.containers.start.mutate(input),
        });
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
  const session = await readSessionFlags(shell.config, flags);
  const { api } = await shell.client();
  const { id, state, spec } = await api.containers.inspect.query({ container: target });
  return await attachToRun(shell, {
    ...session,
    container: id,
    // Attaches to a container that runs already, as podman does.
    starts: state !== "running",
    tty: spec.tty,
    input: flags.interactive,
    proxySignals: flags.sigProxy,
    restarts: spec.restartPolicy.name !== "no",
  });
}
