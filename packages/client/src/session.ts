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
import type { TerminalSize } from "@podfleet/model/exec";
import { newSessionId, type SessionId } from "@podfleet/model/ids";
import type { CommandExit, sessionSpecSchema } from "@podfleet/model/session";
import { type Frame, windowMax } from "@podfleet/protocol/stream/frame";
import { type Opened, type OpenRequest, openRequestSchema } from "@podfleet/protocol/stream/open";
import type { z } from "zod";

import type { OutageOptions } from "./outage.ts";
import { ResumingSession } from "./session/resuming-session.ts";
import type { Caller } from "./session/stream-socket.ts";

export interface SessionRequest {
  /** Name, id or id prefix. */
  readonly container: string;
  /** What it is about, where it begins, and whether it takes input (model/session). Of one that is there already it changes nothing. */
  readonly spec?: z.input<typeof sessionSpecSchema>;
  /** Made up when absent. Opening an id again takes the session over from the connection that it has. */
  readonly session?: SessionId;
  /** The session must be there; without, it is made when it is not. */
  readonly resume?: boolean;
  /** Where the output that the caller has ends; when absent, a resumed session goes on after what its reader has taken last. */
  readonly offset?: number;
}

export interface SessionOptions extends OutageOptions {
  /** Output that may be on its way or waiting to be read, in bytes of the journal: from 64 KiB to 8 MiB; 2 MiB when absent. */
  readonly windowBytes?: number;
  /** Told when the connection is lost, and when the session goes on. */
  readonly onOutage?: (outage: SessionOutage) => void;
}

export type SessionOutage =
  | { readonly type: "down"; readonly error: PodfleetError }
  | { readonly type: "back"; readonly downMs: number };

/**
 * output  bytes of one stream, as the command wrote them; `offset` and `next` are the journal's positions before and after them
 * gap     the journal has no longer what was between these positions
 */
export type SessionOutput = Extract<Frame, { readonly type: "output" | "gap" }>;

/**
 * An open session. It fails when an outage lasts longer than `outageMaxMs`, when someone ends it (SESSION_ENDED) or takes it over
 * (SESSION_IN_USE), and when `signal` is aborted (CANCELLED): then `exit` rejects, and so do both streams.
 */
export interface SessionStream {
  readonly id: SessionId;
  readonly container: Opened["container"];
  readonly host: Opened["host"];
  /** The container's run that it is about. */
  readonly run: number;
  /** The command has a terminal: it has one stream, `stdout`, and a size. */
  readonly tty: boolean;
  /** What is written to `input` reaches the command; without, writing rejects with INVALID_INPUT. */
  readonly takesInput: boolean;
  /** The journal's position after what was read from `output`: a later session may begin or go on there. */
  readonly offset: number;
  /**
   * In the order of offsets, without a hole that is not a gap, until the command has ended. A reader that stops holds up nothing but
   * this session. Cancelling it leaves the rest unread, and `exit` then comes without it.
   */
  readonly output: ReadableStream<SessionOutput>;
  /**
   * Each byte arrives exactly once. A write resolves when it was sent, and waits while the command reads too slowly; its bytes may be
   * changed then. Closing it ends the command's input, unless it has a terminal.
   */
  readonly input: WritableStream<Uint8Array>;
  /** How the command ended. Comes after the last output was read. Rejects with CANCELLED when the session was left by then. */
  readonly exit: Promise<CommandExit>;
  /** Of the command's terminal, the last one is set again after an outage. */
  resize(size: TerminalSize): void;
  /** Leaves the session on purpose: the command runs on, and the session can be resumed. `output` ends. */
  detach(): Promise<void>;
  /** Ends the session; the command runs on. `output` ends. Harmless when it has ended. */
  close(): Promise<void>;
}

const windowMin = 64 * 1024;
const windowDefault = 2 * 1024 * 1024;

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
    const traceparent = caller.connection.traceparent(span);
    const session = new ResumingSession(
      caller,
      openRequest(request, options, traceparent),
      options,
    );
    await session.opened();
    return session;
  } catch (error) {
    span.setAttribute("error.type", PodfleetError.from(error).code);
    throw error;
  } finally {
    span.end();
  }
}

function openRequest(
  { session = newSessionId(), spec = {}, ...request }: SessionRequest,
  { windowBytes = windowDefault }: SessionOptions,
  traceparent: string | undefined,
): OpenRequest {
  if (windowBytes < windowMin || windowBytes > windowMax) {
    throw refused(`windowBytes is ${windowBytes}, must be from ${windowMin} to ${windowMax}`);
  }
  const parsed = openRequestSchema.safeParse({
    ...request,
    ...{ session, spec, window: windowBytes },
    ...(traceparent === undefined ? {} : { traceparent }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refused(`${issue?.path.join(".")}: ${issue?.message}`);
}

function refused(reason: string): PodfleetError {
  return new PodfleetError("INVALID_INPUT", `Cannot open a session: ${reason}`);
}
