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
 * gap     the journal no longer has the output between these positions
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
  /** The run of the container that the session is attached to. */
  readonly run: number;
  /** Whether the command has a terminal: one stream, `stdout`, and a size. */
  readonly tty: boolean;
  /** Whether the session takes input; otherwise writing rejects with INVALID_INPUT. */
  readonly takesInput: boolean;
  /** The journal's offset after what was read from `output`; a later session can begin or resume there. */
  readonly offset: number;
  /**
   * The output in the order of offsets until the command has ended; missing output is reported as a gap. A slow reader delays
   * this session only. Cancelling it discards the rest, and `exit` then resolves without it.
   */
  readonly output: ReadableStream<SessionOutput>;
  /**
   * The input; each byte arrives exactly once. A write resolves when it was sent, and waits while the command reads too slowly; its buffer may be
   * reused then. Closing it ends the command's input, unless it has a terminal.
   */
  readonly input: WritableStream<Uint8Array>;
  /** How the command ended. Resolves after the last output was read. Rejects with CANCELLED when the session was left before. */
  readonly exit: Promise<CommandExit>;
  /** Sets the size of the command's terminal. The last size is set again after an outage. */
  resize(size: TerminalSize): void;
  /** Leaves the session on purpose: the command runs on, and the session can be resumed. `output` ends. */
  detach(): Promise<void>;
  /** Ends the session; the command runs on. `output` ends. Harmless when it has ended. */
  close(): Promise<void>;
}
