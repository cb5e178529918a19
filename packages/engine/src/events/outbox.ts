/**
 * The host's log of events, until someone else has it: appended in the transaction of the change it tells of, kept until
 * `commit` says that it is stored elsewhere.
 */
import type { AgentEvent } from "@podfleet/model/event";
import { gt, lte, sql } from "drizzle-orm";

import type { Database } from "../state/database.ts";
import { events } from "../state/schema.ts";

export class Outbox {
  readonly #listeners = new Set<() => void>();
  readonly #statements: ReturnType<typeof prepare>;
  #lastSeq: number;

  constructor(database: Database) {
    this.#statements = prepare(database);
    this.#lastSeq = lastSeqOf(database);
  }

  /** Sequence number of the last event, delivered or not; 0 before the first. */
  lastSeq(): number {
    return this.#lastSeq;
  }

  /** Events after `seq` that are not yet committed, in order. */
  after(seq: number, limit: number): AgentEvent[] {
    return this.#statements.after.all({ seq, limit }).map((row) => row.event);
  }

  /** Drops the events up to and including `seq`. */
  commit(seq: number): void {
    this.#statements.drop.run({ seq });
  }

  /** Calls `listener` after each commit of new events. Returns what ends it. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Appends within the caller's transaction; the caller then calls `published` once it has committed. */
  append(event: Omit<AgentEvent, "seq">): AgentEvent {
    const entry = { seq: this.#lastSeq + 1, ...event };
    this.#statements.append.run({ seq: entry.seq, event: entry });
    return entry;
  }

  /** The transaction that appended the events up to `seq` has committed. */
  published(seq: number): void {
    this.#lastSeq = seq;
    for (const listener of this.#listeners) listener();
  }
}

function prepare(database: Database) {
  const { orm } = database;
  return {
    append: orm
      .insert(events)
      .values({ seq: sql.placeholder("seq"), event: sql.placeholder("event") })
      .prepare(),
    after: orm
      .select({ event: events.event })
      .from(events)
      .where(gt(events.seq, sql.placeholder("seq")))
      .orderBy(events.seq)
      .limit(sql.placeholder("limit"))
      .prepare(),
    drop: orm
      .delete(events)
      .where(lte(events.seq, sql.placeholder("seq")))
      .prepare(),
  };
}

/** SQLite keeps the highest `seq` ever given in `sqlite_sequence`, after its row is gone too. */
function lastSeqOf(database: Database): number {
  const row = database.orm.get<{ seq: number } | undefined>(
    sql`SELECT seq FROM sqlite_sequence WHERE name = 'events'`,
  );
  return row?.seq ?? 0;
}
