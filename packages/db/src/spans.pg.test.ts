import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { migrateDatabase } from "./migrate.ts";
import { insertSpans, listSpans } from "./spans.ts";
import { newSpan, openRecords } from "./test-records.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ prepare: migrateDatabase });
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

describe("spans", () => {
  test("a span is stored once, as it came first", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const span = newSpan(1);
    await insertSpans(database, [span, span]);
    await insertSpans(database, [{ ...span, name: "other" }, newSpan(2)]);
    await insertSpans(database, []);
    const names = (await listSpans(database, span.traceId)).map(({ name }) => name);
    expect(names).toEqual(["span 1", "span 2"]);
    expect(await listSpans(database, "0".repeat(32))).toEqual([]);
  });

  test("the order is that of their starts, which are numbers and no texts", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const starts = ["1000", "999", "18446744073709551615"];
    await insertSpans(
      database,
      starts.map((startTimeUnixNano, index) => ({ ...newSpan(index), startTimeUnixNano })),
    );
    const stored = await listSpans(database, newSpan(0).traceId);
    expect(stored.map(({ startTimeUnixNano }) => startTimeUnixNano)).toEqual([
      "999",
      "1000",
      "18446744073709551615",
    ]);
  });

  test("hostile text is kept, but for NUL, which Postgres cannot store", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const name = "a\u0000b'; drop table spans; --\\";
    await insertSpans(database, [{ ...newSpan(1), name }]);
    expect(await listSpans(database, newSpan(1).traceId)).toMatchObject([
      { name: "ab'; drop table spans; --\\" },
    ]);
  });
});
