import { mkdirSync } from "node:fs";
import { dirname } from "node:path";

import { PodfleetError } from "@podfleet/model/errors";
import BetterSqlite from "better-sqlite3";
import { type BetterSQLite3Database, drizzle } from "drizzle-orm/better-sqlite3";

import { migrateStore } from "./migrate.ts";

/** How long a store that another process holds is waited for: that process may be just ending. */
const busyTimeoutMs = 500;

/**
 * An engine's SQLite file, held by this process alone from open to close. A commit is on disk when it returns
 * (WAL, synchronous=FULL).
 */
export class Database {
  readonly orm: BetterSQLite3Database;
  readonly #sqlite: BetterSqlite.Database;

  private constructor(sqlite: BetterSqlite.Database) {
    this.#sqlite = sqlite;
    this.orm = drizzle({ client: sqlite });
  }

  /** @throws PodfleetError INVALID_INPUT when another engine holds the file; SCHEMA_TOO_NEW when a newer build has written it */
  static open(path: string): Database {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const sqlite = new BetterSqlite(path, { timeout: busyTimeoutMs });
    try {
      sqlite.pragma("locking_mode = EXCLUSIVE");
      sqlite.pragma("journal_mode = WAL");
      sqlite.pragma("synchronous = FULL");
      sqlite.exec("BEGIN EXCLUSIVE; COMMIT");
      migrateStore(sqlite, dirname(path));
      return new Database(sqlite);
    } catch (error) {
      sqlite.close();
      if (!isBusy(error)) throw error;
      throw new PodfleetError(
        "INVALID_INPUT",
        `Cannot open data root "${dirname(path)}": another engine has it open, must be used by one engine at a time`,
        { cause: error },
      );
    }
  }

  /** All of what `body` writes, or nothing of it. */
  transaction<T>(body: () => T): T {
    return this.#sqlite.transaction(body).immediate();
  }

  close(): void {
    this.#sqlite.close();
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof BetterSqlite.SqliteError && error.code.startsWith("SQLITE_BUSY");
}
