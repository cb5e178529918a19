import { existsSync } from "node:fs";
import { join } from "node:path";

import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import { Client } from "pg";

import { advisoryLockNumber } from "./advisory-lock.ts";

/** Beside the bundle in what ships, beside `src` in the sources. */
const folders = ["migrations", "../migrations"].map((path) => join(import.meta.dirname, path));

const lockWaitMaxMs = 120_000;

/** Brings the database to the present schema. Harmless when it is there already, and when several processes do it at once. */
export async function migrateDatabase(url: string): Promise<void> {
  const client = new Client({
    connectionString: url,
    application_name: "podfleet migrations",
    connectionTimeoutMillis: 10_000,
    statement_timeout: lockWaitMaxMs,
  });
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [advisoryLockNumber("migrations")]);
    await migrate(drizzle({ client }), { migrationsFolder: migrationsFolder() });
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
