/** An open session as its client sees it, whatever carries the frames. */
import type { PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";
import type { SessionId } from "@podfleet/model/ids";
import type { CommandExit } from "@podfleet/model/session";

import type { Frame } from "../stream/frame.ts";
import type { Opened } from "../stream/open.ts";

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
