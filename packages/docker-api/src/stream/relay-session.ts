/** A session of podfleet's at the other end of a client's connection of Docker's. */
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
  /** What a terminal's user types to leave; empty: nothing. */
  readonly detachKeys: string;
}

export interface RelayedSession {
  readonly stream: SessionStream;
  readonly connection: ClientConnection;
  /** The session is over by itself: the client's leaving is no news any more. */
  readonly release: () => void;
}

/** Nobody comes back to such a session. It is given up so long after its control plane was lost. */
const onDisconnect = { action: "keep", afterSeconds: 90 } as const;

/**
 * Opens a session that is closed when the client goes away; its command runs on.
 * @throws PodfleetError what opening it fails with; CANCELLED when the client is gone
 */
export async function openRelayed(
  caller: DockerCaller,
  connection: ClientConnection,
  { container, spec }: Required<Pick<SessionRequest, "container" | "spec">>,
): Promise<RelayedSession> {
  const session = newSessionId();
  const close = (): void => {
    // Safe to ignore: a session that cannot be closed is given up when its time is over.
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
 * Resolves when the command has ended and all its output was written, and when the client has left by its keys. The session is over
 * then; the command runs on if it had not ended.
 * @throws PodfleetError what the session failed with; CANCELLED when the client is gone
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
    // A client that is gone has not ended its input; a terminal has no end.
    if (!connection.gone.aborted && !stream.tty) await writer?.close();
  } catch {
    // Safe to ignore: what ends the session's input ends its output too, whose reader says so.
  }
}

function encode(piece: SessionOutput, format: RelayFormat): Uint8Array[] {
  if (piece.type === "gap") return notice(`${piece.to - piece.from} bytes are gone`, format);
  return format[piece.stream] ? frame(piece.stream, [piece.bytes], format.isFramed) : [];
}

/** Docker's format has no word for what is missing. */
function notice(text: string, { isFramed }: RelayFormat): Uint8Array[] {
  return frame("stderr", [Buffer.from(`\r\npodfleet: ${text}\r\n`)], isFramed);
}
