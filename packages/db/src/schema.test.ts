import { readFileSync } from "node:fs";
import { join } from "node:path";

import { generateDrizzleJson, generateMigration } from "drizzle-kit/api";
import { expect, test } from "vitest";

import { migrationsFolder } from "./migrate.ts";
import * as schema from "./schema.ts";

const journal: { readonly entries: readonly { readonly idx: number; readonly when: number }[] } =
  readJson("meta/_journal.json");

test("drizzle-kit has no migration to generate", async () => {
  const last = journal.entries.at(-1)?.idx ?? 0;
  const recorded = readJson(`meta/${String(last).padStart(4, "0")}_snapshot.json`);
  const present = generateDrizzleJson({ ...schema }, recorded.id);
  expect(await generateMigration(recorded, present)).toEqual([]);
});

test("the migrator applies no migration whose time is before that of an earlier one", () => {
  const times = journal.entries.map(({ when }) => when);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

function readJson(path: string) {
  return JSON.parse(readFileSync(join(migrationsFolder(), path), "utf8"));
}
