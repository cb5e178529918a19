import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createTempRoot } from "@podfleet/testkit/temp-root";
import { expect, test } from "vitest";

import { sealJournal } from "./seal.ts";
import { recordBytesMax } from "./whole-length.ts";

const record = "2026-01-01T00:00:00.000000000+00:00 stdout F line\n";

test.each([
  ["a record without its end", `${record}2026-01-01T00:00:00.0+00:00 stdout F cut o`, record],
  ["the beginning of a first record", "2026-01-01T0", ""],
  ["nothing after a whole record", record, record],
  ["a long unfinished record", `${record}${"x".repeat(recordBytesMax - 100)}`, record],
])("keeps whole records: %s", async (_name, written, kept) => {
  await using root = await createTempRoot("seal");
  const path = join(root.path, "journal");
  await writeFile(path, written);
  await sealJournal(path);
  await appendFile(path, record);
  expect(await readFile(path, "utf8")).toBe(`${kept}${record}`);
});

test("creates an empty journal where there is none", async () => {
  await using root = await createTempRoot("seal");
  const path = join(root.path, "journal");
  await sealJournal(path);
  expect(await readFile(path, "utf8")).toBe("");
});
