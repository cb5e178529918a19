/** The sessions of a host: see model/session. None of it takes a container's lock. */
import { closeSync, openSync, readSync } from "node:fs";

import { hasErrno } from "@podfleet/base/errno";
import { assertAllowed } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId, SessionId } from "@podfleet/model/ids";
import type { Session, SessionSpec } from "@podfleet/model/session";

import type { EngineParts } from "../container/engine-parts.ts";
import { NEWLINE, wholeJournalLength } from "../journal/whole-length.ts";
import { traced } from "../trace.ts";
import { Attachment, type Holder } from "./attachment.ts";
import type { SessionStore } from "./session-store.ts";
import { type SessionTarget, targetOf } from "./session-target.ts";

export interface SessionOpening {
  readonly sessionId: SessionId;
  readonly containerId: ContainerId;
  readonly caller: string;
  readonly spec: SessionSpec;
  /** There must be such a session. */
  readonly resume: boolean;
  /** The client has the output up to here; when absent it goes on after what it had acknowledged. */
  readonly offset?: number | undefined;
}

export interface SessionFilter {
  readonly containerId?: ContainerId | undefined;
  readonly sessionId?: SessionId | undefined;
  readonly all: boolean;
}

export class Sessions {
  readonly #parts: EngineParts;
  readonly #store: SessionStore;
  readonly #attachments = new Map<SessionId, Attachment>();

  constructor(parts: EngineParts, store: SessionStore) {
    this.#parts = parts;
    this.#store = store;
    for (const { session } of store.list()) {
      if (session.connected) store.update(session.id, this.#disconnected());
    }
  }

  /**
   * Makes a session, or resumes the one of that id; an attachment that it has had ends with SESSION_IN_USE.
   * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND; STATE_INVALID when the container has no such run;
   * SESSION_NOT_FOUND, SESSION_ENDED, FORBIDDEN for another caller's; INVALID_INPUT for an offset that is no record boundary
   */
  async open(opening: SessionOpening, holder: Holder): Promise<Attachment> {
    const attributes = {
      "podfleet.session.id": opening.sessionId,
      "podfleet.container.id": opening.containerId,
    };
    return await traced("session.open", attributes, async () => this.#open(opening, holder));
  }

  /** Oldest first; those that have ended only with `all`. */
  list(filter: SessionFilter): Session[] {
    return this.#store
      .list()
      .map(({ session }) => session)
      .filter(
        ({ id, containerId, end }) =>
          (filter.containerId ?? containerId) === containerId &&
          (filter.sessionId ?? id) === id &&
          (filter.all || end === undefined),
      );
  }

  /** Ends the session; the command runs on. @throws PodfleetError SESSION_NOT_FOUND */
  close(id: SessionId): Session {
    const { session } = this.#store.get(id);
    return session.end === undefined ? this.#end(session, "closed") : session;
  }

  #open(opening: SessionOpening, holder: Holder): Attachment {
    const known = this.#store.find(opening.sessionId)?.session;
    if (!known && opening.resume) this.#store.get(opening.sessionId);
    if (known) assertResumable(known, opening);
    const session = known ?? this.#newSession(opening);
    const target = targetOf(this.#parts, session);
    const offset = opening.offset ?? session.acknowledged;
    assertBoundary(target, offset);
    const taken = this.#attachments.get(session.id);
    taken?.end(takenOver(session.id));
    if (known) {
      this.#store.update(session.id, {
        connected: true,
        disconnectedAt: undefined,
        detached: false,
      });
    } else {
      this.#store.save({ session }, { event: "container.attach" });
    }
    const attachment = new Attachment({
      ...{ session, target, offset, holder },
      owner: {
        acknowledged: (upTo) => this.#store.acknowledge(session.id, upTo),
        gone: () => void this.#end(session, "gone"),
        left: (how) => {
          this.#attachments.delete(session.id);
          if (how === "exited") this.#end(session, "exited");
          else this.#store.update(session.id, this.#disconnected(how === "detached"));
        },
      },
    });
    this.#attachments.set(session.id, attachment);
    return attachment;
  }

  #newSession({ sessionId, containerId, caller, spec }: SessionOpening): Session {
    const run = this.#chooseRun(containerId, spec);
    const target = targetOf(this.#parts, { containerId, run, spec });
    return {
      ...{ id: sessionId, containerId, run, spec, caller },
      tty: this.#isTerminal(containerId, spec),
      openedAt: this.#now(),
      connected: true,
      detached: false,
      acknowledged: firstOffset(target, spec.from),
    };
  }

  #chooseRun(containerId: ContainerId, { execId, run }: SessionSpec): number {
    const { execs, store } = this.#parts;
    if (execId !== undefined) return Math.max(1, execs.get(containerId, execId).session.run);
    const { snapshot } = store.get(containerId);
    assertAllowed(run === "next" ? "attachNext" : "attach", snapshot);
    return snapshot.state === "running" ? snapshot.run : snapshot.run + 1;
  }

  #isTerminal(containerId: ContainerId, { execId }: SessionSpec): boolean {
    const { execs, store } = this.#parts;
    return execId === undefined
      ? store.get(containerId).spec.tty
      : execs.get(containerId, execId).session.spec.tty;
  }

  #end({ id }: Session, end: NonNullable<Session["end"]>): Session {
    const ended = this.#store.update(id, {
      ...this.#disconnected(),
      ...{ end, endedAt: this.#now() },
    });
    this.#attachments.get(id)?.end(sessionEnded(ended));
    this.#attachments.delete(id);
    return ended;
  }

  #disconnected(detached = false) {
    return { connected: false, disconnectedAt: this.#now(), detached };
  }

  #now(): string {
    return new Date(this.#parts.clock.nowMs()).toISOString();
  }
}

function firstOffset({ journal }: SessionTarget, from: SessionSpec["from"]): number {
  if (from === "start") return 0;
  return from === "now" ? wholeJournalLength(journal) : from;
}

function assertResumable(session: Session, { caller, containerId, spec }: SessionOpening): void {
  const { id } = session;
  if (session.caller !== caller) {
    throw new PodfleetError(
      "FORBIDDEN",
      `Cannot resume session "${id}": it was opened by another caller`,
    );
  }
  if (session.containerId !== containerId || session.spec.execId !== spec.execId) {
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot open session "${id}": a session of that id is about another command, must be a new one`,
      { details: { field: "session", sessionId: id } },
    );
  }
  if (session.end !== undefined) throw sessionEnded(session);
}

function assertBoundary({ journal }: SessionTarget, offset: number): void {
  if (offset === 0 || byteBefore(journal, offset) === NEWLINE) return;
  throw new PodfleetError(
    "INVALID_INPUT",
    `Cannot read output from offset ${offset}: must be 0, a located offset or one that a session has got to`,
    { details: { field: "offset", offset } },
  );
}

/** Undefined beyond the end of the journal. */
function byteBefore(journal: string, offset: number): number | undefined {
  try {
    const file = openSync(journal, "r");
    try {
      const byte = Buffer.alloc(1);
      return readSync(file, byte, 0, 1, offset - 1) === 1 ? byte[0] : undefined;
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

const endings: Readonly<Record<NonNullable<Session["end"]>, string>> = {
  exited: "its command has ended and its exit was delivered",
  closed: "it was closed",
  expired: "no client came back in time",
  gone: "its container, or its exec session, was removed",
};

function sessionEnded({ id, end = "closed" }: Session): PodfleetError {
  return new PodfleetError("SESSION_ENDED", `Session "${id}" has ended: ${endings[end]}`, {
    details: { sessionId: id, end },
  });
}

function takenOver(id: SessionId): PodfleetError {
  return new PodfleetError("SESSION_IN_USE", `Session "${id}" goes on over another connection`, {
    details: { sessionId: id },
  });
}
