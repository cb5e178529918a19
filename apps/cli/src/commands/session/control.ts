/** `podfleet session resume` and `podfleet session kill`. */
import { hasCode } from "@podfleet/model/errors";
import { sigkill } from "@podfleet/model/signal";

import { attachToSession } from "../../attach/attach.ts";
import type { Command } from "../../command.ts";
import { getDetachKeys } from "../../config.ts";
import { addDetachKeysFlag, addSignalFlag, type SignalFlags } from "../../flags/session-flags.ts";
import type { Shell } from "../../shell.ts";
import { exitCodeOf, forEachTarget } from "../../targets.ts";
import { connected, verb } from "../../verb.ts";
import { findSession, type ListedSession } from "./find-session.ts";

interface ResumeFlags extends SignalFlags {
  readonly detachKeys?: string;
}

export function sessionResumeCommand(shell: Shell): Command {
  const resume = verb(shell, {
    name: "resume",
    description:
      "Resume a session where it was left, from any machine. Ends with the command's exit code",
    examples: ["session resume 01936f2e-7b1c-7cc3-98c4-dc0c0c07398f"],
  });
  return addSignalFlag(addDetachKeysFlag(resume))
    .argument("<session>", "id or id prefix")
    .action(
      connected(shell, async (client, reference: string, flags: ResumeFlags) => {
        const detachKeys = await getDetachKeys(shell.config, flags.detachKeys);
        const session = await findSession(client, reference);
        return await attachToSession(shell, session, { detachKeys, proxySignals: flags.sigProxy });
      }),
    );
}

export function sessionKillCommand(shell: Shell): Command {
  return verb(shell, {
    name: "kill",
    description: "End sessions. An exec session's command is killed; a container keeps running",
    examples: ["session kill 01936f2e-7b1c-7cc3-98c4-dc0c0c07398f"],
  })
    .argument("<session...>", "ids or id prefixes")
    .action(
      connected(shell, async (client, ids: string[]) => {
        const failures = await forEachTarget(shell, ids, async (id) => {
          const session = await findSession(client, id);
          await killExec(shell, session);
          const container = session.containerId;
          await client.api.sessions.close.mutate({ session: session.id, container });
        });
        return exitCodeOf(failures);
      }),
    );
}

async function killExec(shell: Shell, session: ListedSession): Promise<void> {
  const { containerId: container, spec } = session;
  const exec = spec.execId;
  if (exec === undefined) return;
  try {
    await shell.mutate(
      async ({ api }, operationId) =>
        await api.exec.kill.mutate({ operationId, container, exec, signal: sigkill }),
    );
  } catch (error) {
    // Safe to ignore: the command has ended, perhaps with its container.
    if (!hasCode(error, "STATE_INVALID", "EXEC_NOT_FOUND", "CONTAINER_NOT_FOUND")) throw error;
  }
}
