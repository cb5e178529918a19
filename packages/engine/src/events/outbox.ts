/**
 * The host's log of events, until someone else has it: appended in the transaction of the change it tells of, kept until
 * `commit` says that it is stored elsewhere.
 */
import type { AgentEvent } from "@podfleet/model/event";

import type { EventTable } from "../state/event-table.ts";

export class Outbox {
  readonly #table: EventTable;
  readonly #listeners = new Set<() => void>();
  #lastSeq: number;

  constructor(table: EventTable) {
    this.#table = table;
    this.#lastSeq = table.lastSeq();
  }

  /** Sequence number of the last event, delivered or not; 0 before the first. */
  lastSeq(): number {
    return this.#lastSeq;
  }

  /** Events after `seq` that are not yet committed, in order. */
  after(seq: number, limit: number): AgentEvent[] {
    return this.#table.after(seq, limit);
  }

  /** Drops the events up to and including `seq`. */
  commit(seq: number): void {
    this.#table.dropUpTo(seq);
  }

  /** Calls `listener` after each commit of new events. Returns what ends it. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Appends within the caller's transaction; the caller then calls `published` once it has committed. */
  append(event: Omit<AgentEvent, "seq">): AgentEvent {
    const entry = { seq: this.#lastSeq + 1, ...event };
    this.#table.append(entry);
    return entry;
  }

  /** The transaction that appended the events up to `seq` has committed. */
  published(seq: number): void {
    this.#lastSeq = seq;
    for (const listener of this.#listeners) listener();
  }
}
