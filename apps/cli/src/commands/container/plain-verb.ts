import type { Client } from "@podfleet/client/client";
import type { ContainerState } from "@podfleet/model/container/state";
import { hasCode } from "@podfleet/model/errors";
import type { OperationId } from "@podfleet/model/ids";

import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { chosenTargets, exitCodeOf, forEachTarget } from "../../targets.ts";
import { connected, verb, type VerbText } from "../../verb.ts";

export interface PlainVerb extends VerbText {
  /** Which containers `--all` is about, in words and as states. */
  readonly all: { readonly description: string; readonly states: readonly ContainerState[] };
  /** A container that does not exist is as good as done. */
  readonly ignoresMissing?: boolean;
  readonly perform: (
    api: Client["api"],
    input: { readonly operationId: OperationId; readonly container: string },
  ) => Promise<unknown>;
}

/** A command that does one thing to each container named, and has no flag but `--all`. */
export function plainVerb(shell: Shell, plain: PlainVerb): Command {
  return verb(shell, plain)
    .option("-a, --all", plain.all.description, false)
    .argument("[container...]", "names, ids or id prefixes")
    .action(
      connected(shell, async (client, names: string[], flags: { readonly all: boolean }) => {
        const targets = await chosenTargets(client, names, flags.all ? plain.all : undefined);
        const failures = await forEachTarget(shell, targets, async (container) => {
          try {
            await shell.mutate(
              async ({ api }, operationId) => await plain.perform(api, { operationId, container }),
            );
          } catch (error) {
            if (!(plain.ignoresMissing && hasCode(error, "CONTAINER_NOT_FOUND"))) throw error;
          }
        });
        return exitCodeOf(failures);
      }),
    );
}
