/** The sessions of a host: those that may be resumed, and those that ended not long ago. Reads never wait. */
import { PodfleetError } from "@podfleet/model/errors";
import type { SessionId } from "@podfleet/model/ids";
import type { Session } from "@podfleet/model/session";

import type { SessionRecord } from "../state/session-record.ts";
import type { StateStore } from "../state/state-store.ts";

export interface SessionNote {
  readonly event: "container.attach" | "container.detach";
}

export class SessionStore {
  readonly #store: StateStore;
  readonly #records = new Map<SessionId, SessionRecord>();

  constructor(store: StateStore) {
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

  /** Oldest first. */
  list(): SessionRecord[] {
    return [...this.#records.values()];
  }

  /** Commits a session as it is now, with an event of its container when there is a `note`. */
  save(record: SessionRecord, note?: SessionNote): void {
    const { id, containerId, spec } = record.session;
    const write = (): void => this.#store.sessionTable.save(record);
    if (note) {
      const attributes = { sessionId: id, ...(spec.execId ? { execId: spec.execId } : {}) };
      this.#store.note(containerId, { ...note, attributes }, { write });
    } else {
      write();
    }
    this.#records.set(id, record);
  }

  /** Commits changes of a session that is on record; undefined clears a field. Returns it as it is then. */
  update(
    id: SessionId,
    changes: { readonly [K in keyof Session]?: Session[K] | undefined },
    note?: SessionNote,
  ): Session {
    const record = this.get(id);
    const merged = Object.entries({ ...record.session, ...changes });
    const session = Object.fromEntries(
      merged.filter(([, value]) => value !== undefined),
    ) as Session;
    this.save({ ...record, session }, note);
    return session;
  }

  /** Takes note of an acknowledgement; it is committed with the next change of the session. */
  acknowledge(id: SessionId, acknowledged: number): void {
    const record = this.get(id);
    this.#records.set(id, { ...record, session: { ...record.session, acknowledged } });
  }

  forget(id: SessionId): void {
    this.#store.sessionTable.remove(id);
    this.#records.delete(id);
  }
}
