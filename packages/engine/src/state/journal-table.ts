import { eq, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { journals } from "./schema.ts";

/** The rows of journals of which only the end is kept. */
export class JournalTable {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database) {
    this.#statements = prepare(database);
  }

  /** Returns the offset at which the kept part of each journal begins, by the id of its container or exec session. */
  load(): Map<string, number> {
    return new Map(this.#statements.all.all().map(({ id, keptFrom }) => [id, keptFrom]));
  }

  save(id: string, keptFrom: number): void {
    this.#statements.save.run({ id, keptFrom });
  }

  remove(id: string): void {
    this.#statements.remove.run({ id });
  }
}

function prepare({ orm }: Database) {
  const id = sql.placeholder("id");
  return {
    all: orm.select().from(journals).prepare(),
    save: orm
      .insert(journals)
      .values({ id, keptFrom: sql.placeholder("keptFrom") })
      .onConflictDoUpdate({ target: journals.id, set: { keptFrom: sql`excluded.kept_from` } })
      .prepare(),
    remove: orm.delete(journals).where(eq(journals.id, id)).prepare(),
  };
}
