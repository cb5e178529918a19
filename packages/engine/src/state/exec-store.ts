/**
 * The records of exec sessions: of those that run, and of those that ended not long ago. Changes are commits of the state store, with
 * their events. Reads return what was last committed and never wait.
 */
import { invariant } from "@podfleet/base/invariant";
import { PodfleetError } from "@podfleet/model/errors";
import type { EventType } from "@podfleet/model/event-type";
import { type ExecSession, execSessionSchema } from "@podfleet/model/exec";
import type { ContainerId, ExecId } from "@podfleet/model/ids";

import type { ExecProcesses, ExecRecord } from "./exec-record.ts";
import type { CommitNote, StateStore } from "./state-store.ts";

/** New values of a session's fields; undefined clears one. */
export type SessionChanges = {
  readonly [K in Exclude<keyof ExecSession, "id" | "containerId" | "spec" | "createdAt">]?:
    | ExecSession[K]
    | undefined;
};

export type ExecNote = Pick<CommitNote, "attributes" | "operation" | "ends"> & {
  readonly event: Extract<EventType, `exec.${string}`>;
};

type ExecCommits = Pick<StateStore, "execTable" | "note">;

export class ExecStore {
  readonly #store: ExecCommits;
  readonly #records = new Map<ExecId, ExecRecord>();
  readonly #listeners = new Map<ExecId, Set<() => void>>();

  constructor(store: ExecCommits) {
    this.#store = store;
    for (const record of store.execTable.load()) this.#records.set(record.session.id, record);
  }

  find(id: ExecId): ExecRecord | undefined {
    return this.#records.get(id);
  }

  /** @throws PodfleetError EXEC_NOT_FOUND */
  get(containerId: ContainerId, id: ExecId): ExecRecord {
    const record = this.#records.get(id);
    if (record?.session.containerId === containerId) return record;
    throw new PodfleetError(
      "EXEC_NOT_FOUND",
      `Cannot find exec session "${id}": container "${containerId}" has none of that id`,
      { details: { containerId, execId: id } },
    );
  }

  /** All sessions, oldest first. */
  list(): ExecRecord[] {
    return [...this.#records.values()];
  }

  /** Sessions of the container, oldest first. */
  listOf(containerId: ContainerId): ExecRecord[] {
    return this.list().filter(({ session }) => session.containerId === containerId);
  }

  /** Calls `listener` after each commit that changed the session, until the returned function is called. */
  onChange(id: ExecId, listener: () => void): () => void {
    const listeners = this.#listeners.get(id) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(id, listeners);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }

  /** Records a session before its command is launched; no event says so. */
  begin(session: ExecSession): void {
    invariant(!this.#records.has(session.id), `exec session ${session.id} is new`);
    const record = { session, processes: {} };
    this.#store.execTable.save(record);
    this.#records.set(session.id, record);
  }

  /** Commits changes of a session; `processes` stays as it was when absent. */
  update(
    id: ExecId,
    changes: SessionChanges & { readonly processes?: ExecProcesses },
    note: ExecNote,
  ): void {
    const record = this.#records.get(id);
    invariant(record, `exec session ${id} is on record`);
    const { processes = record.processes, ...fields } = changes;
    const session = execSessionSchema.parse(defined({ ...record.session, ...fields }));
    const next = { session, processes };
    this.#commit(next, note, {
      write: () => this.#store.execTable.save(next),
      remember: () => this.#records.set(id, next),
    });
  }

  /** Commits that a session is gone. */
  remove(id: ExecId, note: ExecNote): void {
    const record = this.#records.get(id);
    invariant(record, `exec session ${id} is on record`);
    this.#commit(record, note, {
      write: () => this.#store.execTable.remove(id),
      remember: () => this.#records.delete(id),
    });
  }

  /** Removes the record of a session that never ran its command, or that has been kept long enough; no event says so. */
  forget(id: ExecId): void {
    this.#store.execTable.remove(id);
    this.#records.delete(id);
    this.#changed(id);
  }

  #commit(
    { session }: ExecRecord,
    note: ExecNote,
    change: { readonly write: () => void; readonly remember: () => void },
  ): void {
    const attributes = { execId: session.id, ...note.attributes };
    this.#store.note(session.containerId, { ...note, attributes, exec: session }, change);
    this.#changed(session.id);
  }

  #changed(id: ExecId): void {
    for (const listener of this.#listeners.get(id) ?? []) listener();
  }
}

function defined(session: object): object {
  return Object.fromEntries(Object.entries(session).filter(([, value]) => value !== undefined));
}
