/** Starts an exec session that was created, and opens its streams. */
import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSession, TerminalSize } from "@podfleet/model/exec";
import { type ExecId, execIdSchema } from "@podfleet/model/ids";

import type { DockerCaller } from "../http/call.ts";
import type { ClientConnection } from "../stream/client-connection.ts";
import { openRelayed, type RelayedSession, relaySession } from "../stream/relay-session.ts";

/** @throws PodfleetError EXEC_NOT_FOUND, also when `id` is malformed */
export function parseExecId(text: string): ExecId {
  const parsed = execIdSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new PodfleetError("EXEC_NOT_FOUND", `Cannot find exec session ${JSON.stringify(text)}`, {
    details: { execId: text },
  });
}

/**
 * Resolves when the command runs.
 * @throws PodfleetError EXEC_IN_USE when it was started before; EXEC_NOT_FOUND; CANNOT_INVOKE; COMMAND_NOT_FOUND and other errors of a
 *   command that cannot be started
 */
export async function startExec(
  caller: DockerCaller,
  exec: ExecId,
  terminalSize: TerminalSize | undefined,
): Promise<ExecSession> {
  const size = terminalSize ? { terminalSize } : {};
  return (await caller.api.exec.startCreated({ exec, ...size })).exec;
}

/** @throws PodfleetError errors of opening the session */
export async function openExec(
  caller: DockerCaller,
  connection: ClientConnection,
  { id, containerId, spec }: ExecSession,
): Promise<RelayedSession> {
  return await openRelayed(caller, connection, {
    container: containerId,
    spec: { execId: id, from: "start", input: spec.stdin ? "shared" : "none" },
  });
}

/** Resolves when the command has ended, or the client has left. @throws PodfleetError the session's failure */
export async function relayExec(
  session: RelayedSession,
  { spec }: ExecSession,
  isFramed: boolean,
): Promise<void> {
  await relaySession(session, {
    stdout: spec.attach.includes("stdout"),
    stderr: spec.attach.includes("stderr"),
    isFramed,
    detachKeys: spec.detachKeys,
  });
}
