/**
 * The host's log of events, until someone else has it: appended in the transaction of the change it tells of, kept until
 * `commit` says that it is stored elsewhere.
 */
import type { AgentEvent } from "@podfleet/model/event";

import type { EventTable } from "./event-table.ts";

export class Outbox {
  readonly #table: EventTable;
  readonly #listeners = new Set<(event: AgentEvent) => void>();
  #lastSeq: number;
  /** The last event that is stored elsewhere, and the last that is dropped here. */
  #committedSeq = 0;
  #droppedSeq = 0;

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
    return this.#table.after(Math.max(seq, this.#committedSeq), limit);
  }

  /**
   * Drops the events up to and including `seq`: from the disk with the next one, as that is a commit anyway. What a crash leaves
   * until then is delivered again.
   */
  commit(seq: number): void {
    this.#committedSeq = Math.max(seq, this.#committedSeq);
  }

  /** Calls `listener` with each new event, once it is committed here. Returns what ends it. */
  onAppend(listener: (event: AgentEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Appends within the caller's transaction; the caller then calls `published` once it has committed. */
  append(event: Omit<AgentEvent, "seq">): AgentEvent {
    const entry = { seq: this.#lastSeq + 1, ...event };
    if (this.#droppedSeq < this.#committedSeq) this.#table.dropUpTo(this.#committedSeq);
    this.#table.append(entry);
    return entry;
  }

  /** The transaction that appended the event has committed. */
  published(event: AgentEvent): void {
    this.#lastSeq = event.seq;
    this.#droppedSeq = this.#committedSeq;
    for (const listener of this.#listeners) listener(event);
  }
}
