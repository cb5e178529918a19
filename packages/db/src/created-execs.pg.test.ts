import { execSpecSchema } from "@podfleet/model/exec";
import { execIdSchema, newContainerId, newOperationId } from "@podfleet/model/ids";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { afterAll, beforeAll, expect, test } from "vitest";

import {
  claimCreatedExec,
  ensureCreatedExec,
  findContainerOfExec,
  findCreatedExec,
  resizeCreatedExec,
} from "./created-execs.ts";
import { migrateDatabase } from "./migrate.ts";
import { insertOperation } from "./operations.ts";
import { openRecords } from "./test-records.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ prepare: migrateDatabase });
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

const [id, unknown] = ["e", "f"].map((digit) => execIdSchema.parse(digit.repeat(64)));
const spec = execSpecSchema.parse({ command: ["sh", "-c", "echo 'a\"b'"], tty: true });

async function openExec() {
  if (!id || !unknown) throw new Error("There are two ids");
  const records = await openRecords(postgres);
  const containerId = newContainerId();
  await ensureCreatedExec(records.database, { id, containerId, spec });
  return { ...records, id, unknown, containerId };
}

test("a session is created once: the first description stays", async () => {
  await using records = await openExec();
  const { database, id: exec, containerId } = records;
  const other = { id: exec, containerId: newContainerId(), spec: { ...spec, command: ["id"] } };
  expect(await ensureCreatedExec(database, other)).toMatchObject({ containerId, spec });
  expect(await findCreatedExec(database, exec)).toMatchObject({ containerId, startedBy: null });
  expect(await findCreatedExec(database, records.unknown)).toBeUndefined();
});

test("one operation claims the start, as often as it likes", async () => {
  await using records = await openExec();
  const { database, id: exec } = records;
  const operations = Array.from({ length: 4 }, () => newOperationId());
  const answers = await Promise.all(
    operations.map(async (operation) => await claimCreatedExec(database, { id: exec, operation })),
  );
  const claimed = answers.flatMap((row) => (row?.startedBy ? [row.startedBy] : []));
  expect(claimed).toHaveLength(1);
  const [operation] = claimed;
  if (operation === undefined || operation === null) throw new Error("Nobody has claimed it");
  const again = await claimCreatedExec(database, { id: exec, operation });
  expect(again).toMatchObject({ startedBy: operation });
  expect(await claimCreatedExec(database, { id: records.unknown, operation })).toBeUndefined();
});

test("a terminal's size may change until the session is started", async () => {
  await using records = await openExec();
  const { database, id: exec } = records;
  const size = { height: 24, width: 80 };
  expect(await resizeCreatedExec(database, { id: exec, size })).toBe(true);
  const resized = { ...spec, terminalSize: size };
  expect(await findCreatedExec(database, exec)).toMatchObject({ spec: resized });
  await claimCreatedExec(database, { id: exec, operation: newOperationId() });
  const later = { height: 1, width: 1 };
  expect(await resizeCreatedExec(database, { id: exec, size: later })).toBe(false);
  expect(await resizeCreatedExec(database, { id: records.unknown, size })).toBe(false);
  expect(await findCreatedExec(database, exec)).toMatchObject({ spec: resized });
});

test("the container of a started session is known from the operation that started it", async () => {
  await using records = await openExec();
  const { database, id: exec, containerId } = records;
  expect(await findContainerOfExec(database, exec)).toBeUndefined();
  const start = { id: newOperationId(), verb: "exec.start", request: { execId: exec } } as const;
  const container = { id: containerId, name: "web" };
  const operation = { ...start, container, caller: "test", traceId: undefined };
  await insertOperation(database, operation, "dispatched");
  expect(await findContainerOfExec(database, exec)).toBe(containerId);
  expect(await findContainerOfExec(database, records.unknown)).toBeUndefined();
});
