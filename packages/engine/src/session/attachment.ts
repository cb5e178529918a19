/**
 * The connection of a client to a session, through which the client reads output and writes input. A session has one attachment at a
 * time. An attachment never waits for output: it calls its holder when there may be some.
 */
import { systemClock } from "@podfleet/base/clock";
import type { OutputPiece } from "@podfleet/journal/record/compact";
import { type Gap, JournalFollower } from "@podfleet/journal/record/follower";
import { hasCode, type PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";
import type { Session } from "@podfleet/model/session";
import { resizeTerminal } from "@podfleet/oci/monitor/terminal";

import type { CommandEnd } from "../state/session-record.ts";
import type { SessionInput } from "./session-input.ts";
import type { SessionTarget } from "./session-target.ts";

export interface Holder {
  /** Bytes left free before the bytes of each piece of output. */
  readonly headroom: number;
  /** Called when there may be output to read or room for input, or when the command may have ended. */
  readonly onChange: () => void;
  /** Called when the attachment ends: the session was taken over, or has ended. */
  readonly onEnd: (error: PodfleetError) => void;
}

/** Updates the session's record. */
export interface AttachmentOwner {
  readonly acknowledged: (offset: number) => void;
  /** Called when the command never ran and never will. */
  readonly gone: () => void;
  readonly resized: (size: TerminalSize) => void;
  readonly left: (how: "exited" | "detached" | "lost") => void;
}

export interface AttachmentOptions {
  readonly session: Session;
  readonly target: SessionTarget;
  readonly holder: Holder;
  readonly owner: AttachmentOwner;
  /** Offset in the journal at which output begins. */
  readonly offset: number;
  /** The end of the command, when it is known already. */
  readonly commandEnd: CommandEnd | undefined;
  /** Undefined for a session that does not write. */
  readonly input: SessionInput | undefined;
}

/** The longest that a change of the terminal's size waits for input that was taken before it. */
const inputFlushMsMax = 100;
/** The time that conmon, which reads input and sizes from different files, gets to apply a size before the input that follows. */
const settleMs = 5;

export class Attachment {
  readonly session: Session;
  readonly target: SessionTarget;
  /** Offset in the journal at which output begins. */
  readonly offset: number;
  readonly input: SessionInput | undefined;
  readonly #options: AttachmentOptions;
  readonly #follower: JournalFollower;
  readonly #unsubscribe: () => void;
  #end: CommandEnd | undefined;
  #isOver = false;

  constructor(options: AttachmentOptions) {
    const { session, offset, target, holder } = options;
    this.session = session;
    this.target = target;
    this.offset = offset;
    this.input = options.input;
    this.#options = options;
    this.#end = options.commandEnd;
    this.#follower = new JournalFollower(target.journal, {
      offset,
      headroom: holder.headroom,
      keptFrom: target.keptFrom,
      onGrowth: holder.onChange,
    });
    this.#unsubscribe = target.subscribe(holder.onChange);
  }

  /** Skips and returns the next part of the output when it is not kept any more. */
  takeGap(): Gap | undefined {
    if (this.#isOver) return undefined;
    return this.#follower.takeGap(this.#findEnd()?.offset);
  }

  /**
   * Reads the next output, up to offset `limit`; returns none when there is none or the attachment has ended. The bytes are valid until
   * the next turn of the event loop.
   */
  readSoon(limit: number): OutputPiece[] {
    return this.#isOver ? [] : this.#follower.readSoon(this.#bounded(limit));
  }

  /** True when the last read did not reach the end: the next one should be `readBehind`. */
  get isBehind(): boolean {
    return this.#follower.isBehind;
  }

  /** Reads as `readSoon` does, but more and by another thread; one read at a time. `limit` may grow meanwhile. */
  async readBehind(limit: () => number): Promise<OutputPiece[]> {
    if (this.#isOver) return [];
    return await this.#follower.readBehind(() => this.#bounded(limit()));
  }

  /** Returns how the command has ended, once all of its output was read. */
  findEnd(): CommandEnd | undefined {
    const end = this.#isOver ? undefined : this.#findEnd();
    return end && this.#follower.offset >= end.offset ? end : undefined;
  }

  /** Records that the client has all output before `offset`. */
  acknowledge(offset: number): void {
    if (!this.#isOver) this.#options.owner.acknowledged(offset);
  }

  /**
   * Sets the size of the command's terminal, after the input that was written before, and before input that is written once this has
   * resolved. Does nothing when there is no terminal.
   */
  async resize(size: TerminalSize): Promise<void> {
    if (this.#isOver || !this.session.tty) return;
    this.#options.owner.resized(size);
    await this.input?.flushed(inputFlushMsMax);
    try {
      await resizeTerminal(this.target.bundle, size);
      await systemClock.sleep(settleMs);
    } catch (error) {
      if (!hasCode(error, "STATE_INVALID")) throw error;
    }
  }

  /** Calls the holder: there may be room for input. */
  changed(): void {
    if (!this.#isOver) this.#options.holder.onChange();
  }

  /** Ends the session: the client has received the command's exit. */
  finish(): void {
    this.#leave("exited");
  }

  /** Ends the attachment: the client has left on purpose. */
  detach(): void {
    this.#leave("detached");
  }

  /** Ends the attachment: the connection to the client is lost. */
  lose(): void {
    this.#leave("lost");
  }

  /** Ends the attachment and tells its holder why. */
  end(error: PodfleetError): void {
    if (this.#isOver) return;
    this.#close();
    this.#options.holder.onEnd(error);
  }

  #leave(how: "exited" | "detached" | "lost"): void {
    if (this.#isOver) return;
    this.#close();
    this.#options.owner.left(how);
  }

  #close(): void {
    this.#isOver = true;
    this.#follower.close();
    this.#unsubscribe();
  }

  /** Limits a read to the output of this run; that of the next run may follow in the journal. */
  #bounded(limit: number): number {
    return Math.min(limit, this.#findEnd()?.offset ?? Number.POSITIVE_INFINITY);
  }

  #findEnd(): CommandEnd | undefined {
    if (this.#end) return this.#end;
    const state = this.#options.target.state();
    if (state.is === "ended") this.#end = state.end;
    else if (state.is === "gone") this.#options.owner.gone();
    return this.#end;
  }
}
