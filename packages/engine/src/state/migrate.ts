/** Migrates an engine's store to the schema of this build, in transactions, so that a crash leaves no half of a migration. */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { PodfleetError } from "@podfleet/model/errors";
import type BetterSqlite from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { type MigrationMeta, readMigrationFiles } from "drizzle-orm/migrator";

/** Migrations are beside the bundle, or beside `src` when it runs from sources. */
const folders = ["migrations", "../../migrations"].map((path) => join(import.meta.dirname, path));

/** The table in which drizzle's migrator records applied migrations. */
const appliedTable = "__drizzle_migrations";

/** Stores before `appliedTable` counted their migrations in SQLite's `user_version`, which reached this number. */
const userVersionMax = 6;

/** @throws PodfleetError SCHEMA_TOO_NEW when a newer build has written the store; the store is left as it is */
export function migrateStore(sqlite: BetterSqlite.Database, dataRoot: string): void {
  const folder = migrationsFolder();
  const known = readMigrationFiles({ migrationsFolder: folder });
  adoptUserVersion(sqlite, { dataRoot, known });
  refuseNewer(sqlite, { dataRoot, known });
  migrate(drizzle({ client: sqlite }), { migrationsFolder: folder, migrationsTable: appliedTable });
}

export function migrationsFolder(): string {
  const folder = folders.find((path) => existsSync(join(path, "meta/_journal.json")));
  if (folder === undefined) throw new Error(`No migrations in ${folders.join(" or ")}`);
  return folder;
}

interface StoreVersions {
  readonly dataRoot: string;
  /** The migrations of this build, oldest first. */
  readonly known: readonly MigrationMeta[];
}

/** Moves the count in `user_version` to the migrator's table, in one transaction. */
function adoptUserVersion(sqlite: BetterSqlite.Database, { dataRoot, known }: StoreVersions): void {
  const version = Number(sqlite.pragma("user_version", { simple: true }));
  if (version === 0) return;
  if (version > userVersionMax) throw tooNew(dataRoot, version, userVersionMax);
  sqlite.transaction(() => {
    // The table as the migrator makes it.
    sqlite.exec(
      `CREATE TABLE ${appliedTable} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)`,
    );
    const insert = sqlite.prepare(`INSERT INTO ${appliedTable} (hash, created_at) VALUES (?, ?)`);
    for (const { hash, folderMillis } of known.slice(0, version)) insert.run(hash, folderMillis);
    sqlite.pragma("user_version = 0");
  })();
}

function refuseNewer(sqlite: BetterSqlite.Database, { dataRoot, known }: StoreVersions): void {
  const hasTable = sqlite
    .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")
    .get(appliedTable);
  if (hasTable === undefined) return;
  const applied = sqlite
    .prepare<[], number>(`SELECT created_at FROM ${appliedTable} ORDER BY created_at`)
    .pluck()
    .all();
  const newestKnown = known.at(-1)?.folderMillis ?? 0;
  const newestApplied = applied.at(-1) ?? 0;
  if (newestApplied > newestKnown) throw tooNew(dataRoot, applied.length, known.length);
}

function tooNew(dataRoot: string, version: number, knownVersion: number): PodfleetError {
  return new PodfleetError(
    "SCHEMA_TOO_NEW",
    `Cannot open data root "${dataRoot}": its store has version ${version}, must be at most ${knownVersion}, the newest that this build knows`,
    { details: { version, knownVersion } },
  );
}
