/** Relays between a Docker client's connection and a podfleet session. */
import { detached, scanDetachKeys } from "@podfleet/base/detach-keys";
import { newSessionId } from "@podfleet/model/ids";
import type { SessionRequest } from "@podfleet/protocol/session/session-request";
import type { SessionOutput, SessionStream } from "@podfleet/protocol/session/session-stream";

import type { DockerCaller } from "../http/call.ts";
import type { ClientConnection } from "./client-connection.ts";
import { frame } from "./frames.ts";

export interface RelayFormat {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly isFramed: boolean;
  /** The detach keys; none when empty. */
  readonly detachKeys: string;
}

export interface RelayedSession {
  readonly stream: SessionStream;
  readonly connection: ClientConnection;
  /** Stops watching for the client's leaving, once the session has ended by itself. */
  readonly release: () => void;
}

/** A Docker client cannot resume its session, so the host gives the session up this long after its control plane was lost. */
const onDisconnect = { action: "keep", afterSeconds: 90 } as const;

/**
 * Opens a session that is closed when the client goes away; its command runs on.
 * @throws PodfleetError errors of opening it; CANCELLED when the client is gone
 */
export async function openRelayed(
  caller: DockerCaller,
  connection: ClientConnection,
  { container, spec }: Required<Pick<SessionRequest, "container" | "spec">>,
): Promise<RelayedSession> {
  const session = newSessionId();
  const close = (): void => {
    // Safe to ignore: a session that cannot be closed is given up by its host after a while.
    caller.api.sessions.close({ session, container }).catch(() => undefined);
  };
  const { gone } = connection;
  gone.addEventListener("abort", close);
  const release = (): void => gone.removeEventListener("abort", close);
  try {
    const request = { session, container, spec: { ...spec, onDisconnect } };
    const stream = await caller.openSession(request, gone);
    return { stream, connection, release };
  } catch (error) {
    if (!gone.aborted) release();
    throw error;
  }
}

/**
 * Resolves when the command has ended and all its output was written, or when the client has detached. The session is closed
 * then; a command that has not ended runs on.
 * @throws PodfleetError the session's failure; CANCELLED when the client is gone
 */
export async function relaySession(
  { stream, connection, release }: RelayedSession,
  format: RelayFormat,
): Promise<void> {
  void passInput(stream, connection, format.detachKeys);
  for await (const piece of stream.output) await connection.write(encode(piece, format));
  release();
}

async function passInput(
  stream: SessionStream,
  connection: ClientConnection,
  detachKeys: string,
): Promise<void> {
  const writer = stream.takesInput ? stream.input.getWriter() : undefined;
  const keys = stream.tty ? detachKeys : "";
  try {
    for await (const typed of scanDetachKeys(connection.input(), { keys })) {
      if (typed === detached) return await stream.close();
      await writer?.write(typed);
    }
    // A client that is gone has not ended its input, and a terminal's input has no end.
    if (!connection.gone.aborted && !stream.tty) await writer?.close();
  } catch {
    // Safe to ignore: the reader of the output reports the same failure.
  }
}

function encode(piece: SessionOutput, format: RelayFormat): Uint8Array[] {
  if (piece.type === "gap") return notice(`${piece.to - piece.from} bytes are gone`, format);
  return format[piece.stream] ? frame(piece.stream, [piece.bytes], format.isFramed) : [];
}

/** Docker's format has no way to report a gap. */
function notice(text: string, { isFramed }: RelayFormat): Uint8Array[] {
  return frame("stderr", [Buffer.from(`\r\npodfleet: ${text}\r\n`)], isFramed);
}
