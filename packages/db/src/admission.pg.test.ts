import { containerIdSchema, newOperationId } from "@podfleet/model/ids";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { afterAll, beforeAll, expect, test } from "vitest";

import { recordOnContainer } from "./admission.ts";
import { getContainer } from "./containers.ts";
import type { Database } from "./database.ts";
import { migrateDatabase } from "./migrate.ts";
import { listOperations } from "./operations.ts";
import { addContainer, addHost, openRecords, recordContainer } from "./test-records.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ prepare: migrateDatabase });
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

const caller = { caller: "test", traceId: undefined } as const;
const ids = ["ab", "ac", "fe"].map((start) => containerIdSchema.parse(start.padEnd(64, "0")));

/** Containers `web`, `ab` and `db` with the ids `ab0…`, `ac0…` and `fe0…`. */
async function openContainers() {
  const records = await openRecords(postgres);
  const { database } = records;
  const host = await addHost(database, "host-1");
  for (const [index, name] of ["web", "ab", "db"].entries()) {
    const id = ids[index];
    if (id) await addContainer(database, host, name, { id });
  }
  return { ...records, host };
}

async function stop(database: Database, reference: string, id = newOperationId()) {
  const operation = { id, verb: "container.stop", request: {}, ...caller } as const;
  return await recordOnContainer(database, operation, reference);
}

test.each([
  ["a name", "web", "web"],
  ["a name that begins another's id", "ab", "ab"],
  ["an id", ids[2], "db"],
  ["the prefix of an id", "fe0", "db"],
  ["the shortest prefix that is enough", "f", "db"],
])("%s is enough to record an operation", async (_what, reference = "", name) => {
  await using records = await openContainers();
  const { found, isRecorded } = await stop(records.database, reference);
  expect(isRecorded).toBe(true);
  expect(found[0]).toMatchObject({ name, hostName: "host-1", image: "hello:1" });
  const [operation] = await listOperations(records.database, { limit: 1 });
  expect(operation).toMatchObject({ verb: "container.stop", container: { name } });
  expect(await getContainer(records.database, reference)).toMatchObject({ name });
});

test.each([
  ["several containers", "a", "AMBIGUOUS_ID"],
  ["no name", "wab", "CONTAINER_NOT_FOUND"],
  ["no id", "0", "CONTAINER_NOT_FOUND"],
  ["nothing", "", "CONTAINER_NOT_FOUND"],
])("a reference to %s records none", async (_what, reference, code) => {
  await using records = await openContainers();
  expect(await stop(records.database, reference)).toMatchObject({ isRecorded: false });
  await expect(getContainer(records.database, reference)).rejects.toMatchObject({ code });
  expect(await listOperations(records.database, { limit: 10 })).toHaveLength(3);
});

test("an id records one operation, whatever it is for", async () => {
  await using records = await openContainers();
  const { database, host } = records;
  const id = newOperationId();
  const answers = await Promise.all(
    ["web", "ab", "db"].map(async (reference) => await stop(database, reference, id)),
  );
  expect(answers.filter(({ isRecorded }) => isRecorded)).toHaveLength(1);
  const fresh = containerIdSchema.parse("1".repeat(64));
  expect(
    await recordContainer(database, host, "other", { id: fresh, operation: id }),
  ).toBeUndefined();
  await expect(getContainer(database, "other")).rejects.toMatchObject({
    code: "CONTAINER_NOT_FOUND",
  });
});
