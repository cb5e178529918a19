import { execSessionSchema } from "@podfleet/model/exec";
import type { ExecId } from "@podfleet/model/ids";
import { eq, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { execProcessesSchema, type ExecRecord } from "./exec-record.ts";
import { execSessions } from "./schema.ts";

/** The rows behind the exec sessions. */
export class ExecTable {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database) {
    this.#statements = prepare(database);
  }

  load(): ExecRecord[] {
    return this.#statements.all.all().map((row) => ({
      session: execSessionSchema.parse(row.session),
      processes: execProcessesSchema.parse(row.processes),
    }));
  }

  save({ session, processes }: ExecRecord): void {
    this.#statements.save.run({ id: session.id, session, processes });
  }

  remove(id: ExecId): void {
    this.#statements.remove.run({ id });
  }
}

function prepare({ orm }: Database) {
  const id = sql.placeholder("id");
  return {
    all: orm.select().from(execSessions).prepare(),
    save: orm
      .insert(execSessions)
      .values({
        id,
        session: sql.placeholder("session"),
        processes: sql.placeholder("processes"),
      })
      .onConflictDoUpdate({
        target: execSessions.id,
        set: { session: sql`excluded.session`, processes: sql`excluded.processes` },
      })
      .prepare(),
    remove: orm.delete(execSessions).where(eq(execSessions.id, id)).prepare(),
  };
}
