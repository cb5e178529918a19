import { sql } from "drizzle-orm";
import { drizzle, type NodePgQueryResultHKT } from "drizzle-orm/node-postgres";
import type { PgDatabase } from "drizzle-orm/pg-core";

import { createTracedPool } from "./traced-pool.ts";

/** The database or a transaction on it: queries take either. */
export type Database = PgDatabase<NodePgQueryResultHKT, Record<string, never>>;

export interface OpenDatabase {
  readonly database: Database;
  readonly close: () => Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly applicationName: string;
  /** Most connections at once. */
  readonly connectionsMax?: number;
  /** Called when an idle connection breaks, for example because the server shuts down. The next query opens a new one. */
  readonly onIdleError: (error: Error) => void;
}

/** Connects on first use. Every query and every wait for a connection has a bound. */
export function openDatabase(options: DatabaseOptions): OpenDatabase {
  const pool = createTracedPool({
    connectionString: options.url,
    application_name: options.applicationName,
    max: options.connectionsMax ?? 20,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 15_000,
    idle_in_transaction_session_timeout: 15_000,
    keepAlive: true,
    // Independent queries of one transaction share a round trip.
    pipeline: true,
  });
  pool.on("error", options.onIdleError);
  // The pool listens to idle clients only. An error of a client in use fails its user's next query.
  pool.on("connect", (client) => client.on("error", () => undefined));
  return { database: drizzle({ client: pool }), close: async () => await pool.end() };
}

/** Resolves when Postgres answers. */
export async function pingDatabase(database: Database): Promise<void> {
  await database.execute(sql`select 1`);
}
