import { openDatabase, type OpenDatabase } from "@podfleet/db/database";
import { migrateDatabase } from "@podfleet/db/migrate";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";

import { Callers, createApiToken } from "./api-tokens.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ prepare: migrateDatabase });
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

let open: OpenDatabase;
let callers: Callers;
beforeEach(async () => {
  const { url } = await postgres.createDatabase();
  open = openDatabase({ url, applicationName: "test", onIdleError: () => undefined });
  callers = new Callers(open.database);
});
afterEach(async () => {
  vi.useRealTimers();
  await open.close();
});

const unknown = { code: "UNAUTHENTICATED" };

test("who presents a token is known by its name", async () => {
  const token = await createApiToken(open.database, "ann");
  expect(await callers.authenticate(`Bearer ${token}`)).toEqual({ name: "ann" });
  expect(await callers.authenticate(`bearer  ${token}`)).toEqual({ name: "ann" });
});

test.each([
  undefined,
  "",
  "Basic abc",
  "Bearer",
  "Bearer abc",
  `Bearer pf_00000000_${"a".repeat(43)}`,
])("the header %j tells nobody", async (header) => {
  await expect(callers.authenticate(header)).rejects.toMatchObject(unknown);
});

test("the id of a token that is held as known is no secret", async () => {
  const token = await createApiToken(open.database, "ann");
  await callers.authenticate(`Bearer ${token}`);
  const guess = `${token.slice(0, 12)}${"a".repeat(43)}`;
  await expect(callers.authenticate(`Bearer ${guess}`)).rejects.toMatchObject(unknown);
});

test("a token that was taken back is refused 5 s later at the latest", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const token = await createApiToken(open.database, "ann");
  await callers.authenticate(`Bearer ${token}`);
  await open.database.execute("delete from api_tokens");
  vi.setSystemTime(Date.now() + 5_000);
  await expect(callers.authenticate(`Bearer ${token}`)).rejects.toMatchObject(unknown);
});
