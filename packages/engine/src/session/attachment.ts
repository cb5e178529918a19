/**
 * A client's hold on a session, through which it reads and writes. A session has one at a time. It never waits for output: its holder is
 * told when there is something to do.
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
  /** There may be output to read, more input may be taken, or the command may have ended. */
  readonly onChange: () => void;
  /** The hold is over, and why: somebody else has taken the session, or it has ended. */
  readonly onEnd: (error: PodfleetError) => void;
}

/** What becomes of the session by what its client does. */
export interface AttachmentOwner {
  readonly acknowledged: (offset: number) => void;
  /** The command never ran, and will not. */
  readonly gone: () => void;
  readonly resized: (size: TerminalSize) => void;
  readonly left: (how: "exited" | "detached" | "lost") => void;
}

export interface AttachmentOptions {
  readonly session: Session;
  readonly target: SessionTarget;
  readonly holder: Holder;
  readonly owner: AttachmentOwner;
  /** Where output begins. */
  readonly offset: number;
  /** When that is known already. */
  readonly commandEnd: CommandEnd | undefined;
  /** Undefined for a session that does not write. */
  readonly input: SessionInput | undefined;
}

/** How long input that was taken before a change of the terminal's size is given to reach the command before it. */
const inputPassedMsMax = 100;
/** The monitor reads input and sizes from different places: so long it is given to take the one before the other. */
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

  /** The part of the output that is next and not kept any more. It comes before what is read after it. */
  takeGap(): Gap | undefined {
    if (this.#isOver) return undefined;
    return this.#follower.takeGap(this.#findEnd()?.offset);
  }

  /**
   * Output after that read before, up to offset `limit`; none when there is none, or its holder has no hold any more. The bytes are
   * good until the next turn of the event loop.
   */
  readSoon(limit: number): OutputPiece[] {
    return this.#isOver ? [] : this.#follower.readSoon(this.#bounded(limit));
  }

  /** There was more than the last read has brought. */
  get isBehind(): boolean {
    return this.#follower.isBehind;
  }

  /** The same as `readSoon` for a holder that is behind; one at a time. `limit` may grow meanwhile. */
  async readBehind(limit: () => number): Promise<OutputPiece[]> {
    if (this.#isOver) return [];
    return await this.#follower.readBehind(() => this.#bounded(limit()));
  }

  /** How the command has ended, once all of its output has been read. */
  findEnd(): CommandEnd | undefined {
    const end = this.#isOver ? undefined : this.#findEnd();
    return end && this.#follower.offset >= end.offset ? end : undefined;
  }

  /** The client has all output before `offset`. */
  acknowledge(offset: number): void {
    if (!this.#isOver) this.#options.owner.acknowledged(offset);
  }

  /**
   * Sets the size of the command's terminal, after what was written before and before what is written when it has resolved; harmless
   * when there is no terminal, or none any more.
   */
  async resize(size: TerminalSize): Promise<void> {
    if (this.#isOver || !this.session.tty) return;
    this.#options.owner.resized(size);
    await this.input?.passed(inputPassedMsMax);
    try {
      await resizeTerminal(this.target.bundle, size);
      await systemClock.sleep(settleMs);
    } catch (error) {
      if (!hasCode(error, "STATE_INVALID")) throw error;
    }
  }

  /** Something has changed for its holder that it does not see itself. */
  changed(): void {
    if (!this.#isOver) this.#options.holder.onChange();
  }

  /** The client has taken the exit: the session has ended. */
  finish(): void {
    this.#leave("exited");
  }

  /** The client has left on purpose. */
  detach(): void {
    this.#leave("detached");
  }

  /** The client is gone. */
  lose(): void {
    this.#leave("lost");
  }

  /** Takes the hold away. */
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

  /** What comes after the end is the output of the next run. */
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
