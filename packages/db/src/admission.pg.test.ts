import { containerSpecSchema } from "@podfleet/model/container/spec";
import { hostInfoSchema } from "@podfleet/model/host";
import { containerIdSchema, newHostId, newOperationId } from "@podfleet/model/ids";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { afterAll, beforeAll, expect, test } from "vitest";

import { recordCreation, recordOnContainer } from "./admission.ts";
import { getContainer } from "./containers.ts";
import { type Database, openDatabase } from "./database.ts";
import { registerHost } from "./hosts.ts";
import { migrateDatabase } from "./migrate.ts";
import { listOperations } from "./operations.ts";

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
async function openRecords() {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await postgres.createDatabase());
  const onIdleError = (error: Error): void => void process.stderr.write(`${error.message}\n`);
  const { database, close } = openDatabase({ url, applicationName: "test", onIdleError });
  stack.defer(close);
  const host = hostInfoSchema.parse({
    id: newHostId(),
    name: "host-1",
    labels: {},
    capacity: { cpuMillis: 4_000, memoryBytes: 2 ** 33 },
    agentVersion: "0.1.0",
    kernelVersion: "6.18",
    architecture: "x64",
    cgroupMode: "v2",
    runtime: { name: "runc", version: "1.1.5" },
    monitorVersion: "2.1.6",
    bootId: "boot",
  });
  await registerHost(database, host, []);
  const listed = { ...host, state: "ready", helloCount: 1, lastSeenAt: new Date() } as const;
  const spec = containerSpecSchema.parse({ image: "hello:1", command: ["serve"] });
  const reservation = { cpuMillis: 0, memoryBytes: 0 };
  const create = async (name: string, id: (typeof ids)[number], operationId = newOperationId()) => {
    const request = { id: operationId, verb: "container.create", request: {}, ...caller } as const;
    const container = { id, name, host: listed, spec, reservation };
    return await recordCreation(database, { ...request, status: "dispatched" }, container);
  };
  const [first, second, third] = ids;
  if (!first || !second || !third) throw new Error("There are three ids");
  await create("web", first);
  await create("ab", second);
  await create("db", third);
  const owned = stack.move();
  return { database, create, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
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
  await using records = await openRecords();
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
  await using records = await openRecords();
  expect(await stop(records.database, reference)).toMatchObject({ isRecorded: false });
  await expect(getContainer(records.database, reference)).rejects.toMatchObject({ code });
  expect(await listOperations(records.database, { limit: 10 })).toHaveLength(3);
});

test("an id records one operation, whatever it is for", async () => {
  await using records = await openRecords();
  const { database, create } = records;
  const id = newOperationId();
  const answers = await Promise.all(
    ["web", "ab", "db"].map(async (reference) => await stop(database, reference, id)),
  );
  expect(answers.filter(({ isRecorded }) => isRecorded)).toHaveLength(1);
  const fresh = containerIdSchema.parse("1".repeat(64));
  expect(await create("other", fresh, id)).toBeUndefined();
  await expect(getContainer(database, "other")).rejects.toMatchObject({
    code: "CONTAINER_NOT_FOUND",
  });
});
