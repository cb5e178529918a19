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

test("a database of a newer version is refused and left as it is", async () => {
  await using database = await postgres.createDatabase();
  await migrateDatabase(database.url);
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const known = (await client.query("select hash from drizzle.__drizzle_migrations")).rows.length;
  await client.query(
    "insert into drizzle.__drizzle_migrations (hash, created_at) values ('of a newer build', 9000000000000)",
  );
  const name = (await client.query("select current_database() as name")).rows[0].name;
  await expect(migrateDatabase(database.url)).rejects.toMatchObject({
    code: "SCHEMA_TOO_NEW",
    message: `Cannot use database "${name}": its schema has version ${known + 1}, must be at most ${known}, the newest that this build knows`,
  });
  const after = await client.query("select hash from drizzle.__drizzle_migrations");
  expect(after.rows).toHaveLength(known + 1);
  await client.end();
});
