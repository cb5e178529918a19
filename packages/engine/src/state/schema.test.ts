import { readFileSync } from "node:fs";
import { join } from "node:path";

import BetterSqlite from "better-sqlite3";
import { generateSQLiteDrizzleJson, generateSQLiteMigration } from "drizzle-kit/api";
import { expect, test } from "vitest";

import { migrateStore, migrationsFolder } from "./migrate.ts";
import * as schema from "./schema.ts";
import { tablesOf } from "./test-tables.ts";

const journal: { readonly entries: readonly { readonly idx: number; readonly when: number }[] } =
  readJson("meta/_journal.json");

test("drizzle-kit has no migration to generate", async () => {
  const last = journal.entries.at(-1)?.idx ?? 0;
  const recorded = readJson(`meta/${String(last).padStart(4, "0")}_snapshot.json`);
  const present = await generateSQLiteDrizzleJson({ ...schema }, recorded.id);
  expect(await generateSQLiteMigration(recorded, present)).toEqual([]);
});

test("the migrations make the tables and indexes that the schema describes", async () => {
  const described = new BetterSqlite(":memory:");
  const statements = await generateSQLiteMigration(
    await generateSQLiteDrizzleJson({}),
    await generateSQLiteDrizzleJson({ ...schema }),
  );
  for (const statement of statements) described.exec(statement);
  const migrated = new BetterSqlite(":memory:");
  migrateStore(migrated, "/data");
  expect(tablesOf(migrated)).toEqual(tablesOf(described));
});

test("every table is strict", () => {
  const migrated = new BetterSqlite(":memory:");
  migrateStore(migrated, "/data");
  const tables = migrated.pragma("table_list") as { name: string; strict: number }[];
  const lax = tables.filter(({ name, strict }) => strict === 0 && !/^(sqlite_|__)/.test(name));
  expect(lax).toEqual([]);
});

test("the migrator applies no migration whose time is before that of an earlier one", () => {
  const times = journal.entries.map(({ when }) => when);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

function readJson(path: string) {
  return JSON.parse(readFileSync(join(migrationsFolder(), path), "utf8"));
}
