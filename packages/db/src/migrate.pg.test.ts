import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";

import { migrateDatabase } from "./migrate.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

test("several processes may migrate at once, and again", async () => {
  await using database = await postgres.createDatabase();
  await Promise.all(Array.from({ length: 4 }, async () => await migrateDatabase(database.url)));
  await migrateDatabase(database.url);
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const tables = await client.query(
    "select table_name from information_schema.tables where table_schema = 'public' order by 1",
  );
  const applied = await client.query("select hash from drizzle.__drizzle_migrations");
  await client.end();
  expect(tables.rows.map(({ table_name }) => table_name)).toEqual([
    "api_tokens",
    "claims",
    "containers",
    "created_execs",
    "events",
    "host_images",
    "hosts",
    "operation_hosts",
    "operations",
    "spans",
  ]);
  expect(new Set(applied.rows.map(({ hash }) => hash)).size).toBe(applied.rows.length);
});
