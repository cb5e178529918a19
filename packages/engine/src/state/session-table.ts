import type { SessionId } from "@podfleet/model/ids";
import { sessionSchema } from "@podfleet/model/session";
import { eq, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { sessions } from "./schema.ts";
import { commandEndSchema, type SessionRecord } from "./session-record.ts";

/** The rows behind the sessions. */
export class SessionTable {
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database) {
    this.#database = database;
    this.#statements = prepare(database);
  }

  load(): SessionRecord[] {
    return this.#statements.all.all().map((row) => ({
      session: sessionSchema.parse(row.session),
      commandEnd: commandEndSchema.optional().parse(row.commandEnd ?? undefined),
    }));
  }

  /** Within the caller's transaction when there is one. */
  save({ session, commandEnd }: SessionRecord): void {
    this.#statements.save.run({ id: session.id, session, commandEnd: commandEnd ?? null });
  }

  /** Saves the records in one transaction. */
  saveAll(records: readonly SessionRecord[]): void {
    this.#database.transaction(() => {
      for (const record of records) this.save(record);
    });
  }

  remove(id: SessionId): void {
    this.#statements.remove.run({ id });
  }
}

function prepare({ orm }: Database) {
  const id = sql.placeholder("id");
  return {
    all: orm.select().from(sessions).prepare(),
    save: orm
      .insert(sessions)
      .values({
        id,
        session: sql.placeholder("session"),
        commandEnd: sql.placeholder("commandEnd"),
      })
      .onConflictDoUpdate({
        target: sessions.id,
        set: { session: sql`excluded.session`, commandEnd: sql`excluded.command_end` },
      })
      .prepare(),
    remove: orm.delete(sessions).where(eq(sessions.id, id)).prepare(),
  };
}
