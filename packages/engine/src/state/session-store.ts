/** The records of sessions: of those that may be resumed, and of those that ended not long ago. Reads never wait. */
import { PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";
import type { ContainerId, SessionId } from "@podfleet/model/ids";
import { type Session, sessionSchema } from "@podfleet/model/session";

import type { CommandEnd, SessionRecord } from "./session-record.ts";
import type { StateStore } from "./state-store.ts";

/** New values of a session's fields; undefined clears one. */
export type SessionChanges = { readonly [K in keyof Session]?: Session[K] | undefined };

export interface SessionNote {
  readonly event: "container.attach" | "container.detach";
}

type SessionCommits = Pick<StateStore, "note" | "sessionTable">;

export class SessionStore {
  readonly #store: SessionCommits;
  readonly #records = new Map<SessionId, SessionRecord>();
  /** Sessions with changes that have not been committed. */
  readonly #noted = new Set<SessionId>();

  constructor(store: SessionCommits) {
    this.#store = store;
    for (const record of store.sessionTable.load()) this.#records.set(record.session.id, record);
  }

  find(id: SessionId): SessionRecord | undefined {
    return this.#records.get(id);
  }

  /** @throws PodfleetError SESSION_NOT_FOUND */
  get(id: SessionId): SessionRecord {
    const record = this.#records.get(id);
    if (record) return record;
    throw new PodfleetError(
      "SESSION_NOT_FOUND",
      `Cannot find session "${id}": the host has none of that id`,
      { details: { sessionId: id } },
    );
  }

  /** All sessions, oldest first. */
  list(): SessionRecord[] {
    return [...this.#records.values()];
  }

  /** The initial size of the terminal of a run: that of the last session with one that waits for the run. */
  findTerminalSize(containerId: ContainerId, run: number): TerminalSize | undefined {
    const waiting = this.list().filter(({ session }) => {
      const isOpen = session.end === undefined && session.spec.execId === undefined;
      return isOpen && session.containerId === containerId && session.run === run;
    });
    return waiting.findLast(({ session }) => session.spec.terminalSize)?.session.spec.terminalSize;
  }

  /** Commits a new session. */
  add(session: Session): void {
    this.#commit({ session }, { event: "container.attach" });
  }

  /** Commits changes of a session and returns it with them. */
  update(id: SessionId, changes: SessionChanges, note?: SessionNote): Session {
    const record = this.get(id);
    const fields = Object.entries({ ...record.session, ...changes });
    const kept = fields.filter(([, value]) => value !== undefined);
    const session = sessionSchema.parse(Object.fromEntries(kept));
    this.#commit({ ...record, session }, note);
    return session;
  }

  /** Changes a session in memory; `commitNoted` or the next change commits it. A crash before that loses the change. */
  note(
    id: SessionId,
    news: { readonly changes?: Partial<Session>; readonly commandEnd?: CommandEnd },
  ): void {
    const record = this.get(id);
    const session = { ...record.session, ...news.changes };
    this.#records.set(id, { session, commandEnd: news.commandEnd ?? record.commandEnd });
    this.#noted.add(id);
  }

  /** Commits what was noted, in one transaction. */
  commitNoted(): void {
    if (this.#noted.size === 0) return;
    this.#store.sessionTable.saveAll([...this.#noted].map((id) => this.get(id)));
    this.#noted.clear();
  }

  /** Removes a session that has been kept long enough. */
  forget(id: SessionId): void {
    this.#store.sessionTable.remove(id);
    this.#records.delete(id);
    this.#noted.delete(id);
  }

  #commit(record: SessionRecord, note: SessionNote | undefined): void {
    const { id, containerId, spec } = record.session;
    const write = (): void => this.#store.sessionTable.save(record);
    if (note) {
      const attributes = { sessionId: id, ...(spec.execId ? { execId: spec.execId } : {}) };
      this.#store.note(containerId, { ...note, attributes }, { write });
    } else {
      write();
    }
    this.#records.set(id, record);
    this.#noted.delete(id);
  }
}
