import { containerCan } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";

import { runAttached } from "../../attached/attached-run.ts";
import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, exitCodeOf, forEachTarget } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";
import { assertNotInteractive } from "./run.ts";

interface StartFlags {
  readonly all: boolean;
  readonly attach: boolean;
  readonly interactive: boolean;
  readonly sigProxy: boolean;
}

export function startCommand(shell: Shell): Command {
  return verb(shell, {
    name: "start",
    description: "Start containers, and first those that they require",
    examples: ["start web", "start --attach job", "start --all"],
  })
    .option("-a, --attach", "show the output of this run and end with its exit code", false)
    .option("-i, --interactive", "keep standard input open (not in this version)", false)
    .option("--all", "start every container that can be started", false)
    .option("--no-sig-proxy", "with --attach, do not forward signals to the command")
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: StartFlags) => {
        assertNotInteractive(flags);
        const all = flags.all ? { states: containerCan.start.states } : undefined;
        const targets = await chosenTargets(client, names, all);
        if (flags.attach) return await startAttached(shell, targets, flags);
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
  const client = await shell.client();
  const container = await client.api.containers.inspect.query({ container: target });
  return await runAttached(shell, {
    container: container.id,
    offset: await client.journalEnd(container.id),
    restarts: container.spec.restartPolicy.name !== "no",
    proxySignals: flags.sigProxy,
  });
}
