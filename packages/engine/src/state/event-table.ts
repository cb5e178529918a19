import type { AgentEvent } from "@podfleet/model/event";
import { gt, lte, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { events } from "./schema.ts";

/** The rows behind the outbox. */
export class EventTable {
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database) {
    this.#database = database;
    this.#statements = prepare(database);
  }

  /** Within the caller's transaction. */
  append(event: AgentEvent): void {
    this.#statements.append.run({ seq: event.seq, event });
  }

  after(seq: number, limit: number): AgentEvent[] {
    return this.#statements.after.all({ seq, limit }).map((row) => row.event);
  }

  dropUpTo(seq: number): void {
    this.#statements.drop.run({ seq });
  }

  /** SQLite keeps the highest `seq` ever given in `sqlite_sequence`, after its row is gone too; 0 before the first. */
  lastSeq(): number {
    const row = this.#database.orm.get<{ seq: number } | undefined>(
      sql`SELECT seq FROM sqlite_sequence WHERE name = 'events'`,
    );
    return row?.seq ?? 0;
  }
}

function prepare({ orm }: Database) {
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
