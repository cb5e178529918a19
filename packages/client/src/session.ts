/**
 * Sessions: the output and the input of a container's run or of an exec session, live. A session outlives its connection: it is
 * resumed when the control plane, the agent or the network comes back, and neither loses nor repeats a byte.
 *
 *     const session = await client.openSession({ container: "web", spec: { input: "shared", from: "start" } });
 *     for await (const piece of session.output) if (piece.type === "output") show(piece.stream, piece.bytes);
 *     const { exitCode } = await session.exit;
 */
import { SpanKind, trace } from "@opentelemetry/api";
import { PodfleetError } from "@podfleet/model/errors";
import { Outage, type OutageOptions } from "@podfleet/protocol/session/outage";
import { ResumingSession, type SessionPath } from "@podfleet/protocol/session/resuming-session";
import { openRequestOf, type SessionRequest } from "@podfleet/protocol/session/session-request";
import type {
  SessionOutage,
  SessionOutput,
  SessionStream,
} from "@podfleet/protocol/session/session-stream";

import { wasNeverSent } from "./connection.ts";
import { type Caller, connectStream } from "./session/stream-socket.ts";

export type { SessionOutage, SessionOutput, SessionRequest, SessionStream };

export interface SessionOptions extends OutageOptions {
  /** Output that may be on its way or waiting to be read, in bytes of the journal: from 64 KiB to 8 MiB; 2 MiB when absent. */
  readonly windowBytes?: number;
  /** Reports the loss of the connection, and that the session goes on. */
  readonly onOutage?: (outage: SessionOutage) => void;
}

const tracer = trace.getTracer("podfleet.client");

/**
 * Resolves when the session is there.
 * @throws PodfleetError the control plane's refusal; INVALID_INPUT
 */
export async function openSession(
  caller: Caller,
  request: SessionRequest,
  options: SessionOptions = {},
): Promise<SessionStream> {
  const span = tracer.startSpan("open session", { kind: SpanKind.CLIENT });
  try {
    const { windowBytes } = options;
    const traceparent = caller.connection.traceparent(span);
    const path: SessionPath = {
      connect: (open, listener) => connectStream(caller, open, listener),
      end: async (reference) => await caller.api.sessions.close.mutate(reference),
      outage: () => new Outage(options, wasNeverSent),
    };
    const first = openRequestOf(request, { windowBytes, traceparent });
    const session = new ResumingSession(path, first, options);
    await session.opened();
    return session;
  } catch (error) {
    span.setAttribute("error.type", PodfleetError.from(error).code);
    throw error;
  } finally {
    span.end();
  }
}
