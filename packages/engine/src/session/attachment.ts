/**
 * A client's hold on a session, through which it reads and writes. A session has one at a time. It never waits: its holder is told when
 * there is something to do.
 */
import { invariant } from "@podfleet/base/invariant";
import type { PodfleetError } from "@podfleet/model/errors";
import type { Session } from "@podfleet/model/session";

import type { OutputPiece } from "../journal/compact.ts";
import { JournalFollower } from "../journal/follower.ts";
import type { CommandEnd } from "../state/session-record.ts";
import type { SessionTarget } from "./session-target.ts";

export interface Holder {
  /** Bytes left free before the bytes of each piece of output. */
  readonly headroom: number;
  /** There may be output to read, or the command may have ended. */
  readonly onChange: () => void;
  /** The hold is over, and why: somebody else has taken the session, or it has ended. */
  readonly onEnd: (error: PodfleetError) => void;
}

/** What an attachment has done to its session. */
export interface AttachmentOwner {
  readonly acknowledged: (offset: number) => void;
  /** The command never ran, and will not. */
  readonly gone: () => void;
  readonly left: (how: "exited" | "detached" | "lost") => void;
}

export interface AttachmentOptions {
  readonly session: Session;
  readonly target: SessionTarget;
  readonly holder: Holder;
  readonly owner: AttachmentOwner;
  /** Where output begins. */
  readonly offset: number;
}

export class Attachment {
  readonly session: Session;
  /** Offset in the journal at which output begins. */
  readonly offset: number;
  readonly #options: AttachmentOptions;
  readonly #follower: JournalFollower;
  readonly #unsubscribe: () => void;
  #end: CommandEnd | undefined;
  #isOver = false;

  constructor(options: AttachmentOptions) {
    const { session, offset, target, holder } = options;
    this.session = session;
    this.offset = offset;
    this.#options = options;
    this.#follower = new JournalFollower(target.journal, {
      offset,
      headroom: holder.headroom,
      onGrowth: holder.onChange,
    });
    this.#unsubscribe = target.subscribe(holder.onChange);
  }

  /** Output after that read before, up to offset `limit`; none when there is none, or its holder has no hold any more. */
  read(limit: number): OutputPiece[] {
    if (this.#isOver) return [];
    const end = this.#findEnd();
    return this.#follower.read(Math.min(limit, end?.offset ?? Number.POSITIVE_INFINITY));
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
    invariant(!this.#isOver, "an attachment is closed once");
    this.#isOver = true;
    this.#follower.close();
    this.#unsubscribe();
  }

  #findEnd(): CommandEnd | undefined {
    if (this.#end) return this.#end;
    const state = this.#options.target.state();
    if (state.is === "ended") this.#end = state.end;
    else if (state.is === "gone") this.#options.owner.gone();
    return this.#end;
  }
}
