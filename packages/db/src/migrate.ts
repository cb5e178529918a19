import { existsSync } from "node:fs";
import { join } from "node:path";

import { PodfleetError } from "@podfleet/model/errors";
import { type MigrationMeta, readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import { Client } from "pg";

import { advisoryLockNumber } from "./advisory-lock.ts";

/** Migrations are beside the program file, or beside `src` when it runs from sources. */
const folders = ["migrations", "../migrations"].map((path) => join(import.meta.dirname, path));

/** The table in which drizzle's migrator records applied migrations. */
const migrationsSchema = "drizzle";
const migrationsTable = "__drizzle_migrations";

const lockWaitMaxMs = 120_000;

/**
 * Migrates the database to the schema of this build. Idempotent, also when several processes run it at once.
 * @throws PodfleetError SCHEMA_TOO_NEW when a newer build has migrated it; the database is left as it is
 */
export async function migrateDatabase(url: string): Promise<void> {
  const folder = migrationsFolder();
  const client = new Client({
    connectionString: url,
    application_name: "podfleet migrations",
    connectionTimeoutMillis: 10_000,
    statement_timeout: lockWaitMaxMs,
  });
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [advisoryLockNumber("migrations")]);
    await refuseNewer(client, readMigrationFiles({ migrationsFolder: folder }));
    const options = { migrationsFolder: folder, migrationsSchema, migrationsTable };
    await migrate(drizzle({ client }), options);
  } finally {
    // The end of the session releases the lock.
    await client.end();
  }
}

export function migrationsFolder(): string {
  const folder = folders.find((path) => existsSync(join(path, "meta/_journal.json")));
  if (folder === undefined) throw new Error(`No migrations in ${folders.join(" or ")}`);
  return folder;
}

async function refuseNewer(client: Client, known: readonly MigrationMeta[]): Promise<void> {
  const table = `${migrationsSchema}.${migrationsTable}`;
  const found = await client.query("select to_regclass($1) as table", [table]);
  if (found.rows[0]?.table === null) return;
  const { rows } = await client.query<{ name: string; version: number; newest: string | null }>(
    `select current_database() as name, count(*)::integer as version, max(created_at) as newest from ${table}`,
  );
  const [applied] = rows;
  const newestKnown = known.at(-1)?.folderMillis ?? 0;
  if (!applied || Number(applied.newest) <= newestKnown) return;
  const { name, version } = applied;
  throw new PodfleetError(
    "SCHEMA_TOO_NEW",
    `Cannot use database "${name}": its schema has version ${version}, must be at most ${known.length}, the newest that this build knows`,
    { details: { version, knownVersion: known.length } },
  );
}
