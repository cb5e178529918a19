import type { Client } from "@podfleet/client/client";
import { hasCode } from "@podfleet/model/errors";
import { sigkill } from "@podfleet/model/signal";

import type { Command } from "../../command.ts";
import type { Shell } from "../../shell.ts";
import { exitCodeOf, forEachTarget } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";
import { findSession, type ListedSession } from "./find-session.ts";

export function sessionKillCommand(shell: Shell): Command {
  return verb(shell, {
    name: "kill",
    description:
      "End sessions. A command that exec started is killed; a container runs on, and is ended with stop or kill",
    examples: ["session kill 01936f2e-7b1c-7cc3-98c4-dc0c0c07398f"],
  })
    .argument("<session...>", "ids or id prefixes")
    .action(
      connected(shell, async (client, ids: string[]) => {
        const failures = await forEachTarget(shell, ids, async (id) => {
          const session = await findSession(client, id);
          await killCommand(shell, session);
          await closeSession(client, session);
        });
        return exitCodeOf(failures);
      }),
    );
}

async function killCommand(shell: Shell, { containerId, spec }: ListedSession): Promise<void> {
  const exec = spec.execId;
  if (exec === undefined) return;
  try {
    await shell.mutate(
      async ({ api }, operationId) =>
        await api.exec.kill.mutate({ operationId, container: containerId, exec, signal: sigkill }),
    );
  } catch (error) {
    // Safe to ignore: it has ended, perhaps with its container.
    if (!hasCode(error, "STATE_INVALID", "EXEC_NOT_FOUND", "CONTAINER_NOT_FOUND")) throw error;
  }
}

async function closeSession({ api }: Client, session: ListedSession): Promise<void> {
  await api.sessions.close.mutate({ session: session.id, container: session.containerId });
}
