import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startTestPostgres, type TestPostgres } from "./test-database.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startTestPostgres({
    durable: true,
    prepare: async (url) => {
      await query(url, "create table greeting (word text)");
      await query(url, "insert into greeting values ('hello')");
    },
  });
});

afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

async function query(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

test("each database starts as the prepared one and changes alone", async () => {
  await using left = await postgres.createDatabase();
  await using right = await postgres.createDatabase();
  await query(left.url, "update greeting set word = 'changed'");
  expect(await query(left.url, "select word from greeting")).toEqual([{ word: "changed" }]);
  expect(await query(right.url, "select word from greeting")).toEqual([{ word: "hello" }]);
});

test("a committed row outlives the server's crash", async () => {
  await using database = await postgres.createDatabase();
  await query(database.url, "insert into greeting values ('kept')");
  await postgres.kill();
  await postgres.restart();
  expect(await query(database.url, "select word from greeting order by word")).toEqual([
    { word: "hello" },
    { word: "kept" },
  ]);
});
