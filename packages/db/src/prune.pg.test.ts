import { execSpecSchema } from "@podfleet/model/exec";
import { execIdSchema, newContainerId } from "@podfleet/model/ids";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { type SQL, sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { lockInTransaction } from "./advisory-lock.ts";
import { findContainerById } from "./containers.ts";
import { ensureCreatedExec, findCreatedExec } from "./created-execs.ts";
import type { Database } from "./database.ts";
import { lastPosition, listEvents } from "./events.ts";
import { migrateDatabase } from "./migrate.ts";
import { listOperations } from "./operations.ts";
import { applyEvents, applyOutcome } from "./projection.ts";
import { pruneRecords, type RecordBounds } from "./prune.ts";
import { insertSpans, listSpans } from "./spans.ts";
import {
  addContainer,
  addHost,
  addOperation,
  newEvent,
  newSpan,
  openRecords,
} from "./test-records.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ prepare: migrateDatabase });
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

const hourMs = 3_600_000;
const bounds: RecordBounds = {
  recordAgeMaxMs: 24 * hourMs,
  createdExecAgeMaxMs: hourMs,
  spans: { spansMax: 100, ageMaxMs: hourMs },
};

/** Makes a time of all rows of a table `hours` old. */
async function age(database: Database, column: SQL, hours: number): Promise<void> {
  await database.execute(sql`update ${column} = now() - make_interval(hours => ${hours})`);
}

describe("pruneRecords", () => {
  test("finished operations go when they are old, those under way never do", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    const finished = await addOperation(database, { host, verb: "container.stop" });
    const unfinished = await addOperation(database, { host, verb: "container.stop" });
    const error = { code: "INTERNAL", message: "no" } as const;
    await applyOutcome(database, host.id, { id: finished, outcome: { status: "failed", error } });
    await age(database, sql`operations set created_at`, 1_000);
    expect(await pruneRecords(database, bounds)).toBe(0);
    await database.execute(
      sql`update operations set finished_at = now() - interval '25 hours' where finished_at is not null`,
    );
    expect(await pruneRecords(database, bounds)).toBe(1);
    const left = await listOperations(database, { limit: 10 });
    expect(left.map(({ id }) => id)).toEqual([unfinished]);
  });

  test("old events go, and positions are never given twice", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    const hoursAgo = (hours: number) => new Date(Date.now() - hours * hourMs).toISOString();
    await applyEvents(database, host.id, [
      newEvent(1, { time: hoursAgo(30) }),
      newEvent(2, { time: hoursAgo(25) }),
    ]);
    expect(await pruneRecords(database, bounds)).toBe(2);
    expect(await lastPosition(database)).toBe(0);
    await applyEvents(database, host.id, [newEvent(3, { time: hoursAgo(1) })]);
    expect(await pruneRecords(database, bounds)).toBe(0);
    expect(await listEvents(database, { limit: 10 })).toMatchObject([{ position: 3, seq: 3 }]);
  });

  test("removed containers go when they are old, the others stay however old they are", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    const removed = await addContainer(database, host, "gone");
    const kept = await addContainer(database, host, "web");
    await applyEvents(database, host.id, [
      newEvent(1, {
        type: "container.remove",
        containerId: removed.id,
        time: new Date().toISOString(),
      }),
    ]);
    await age(database, sql`containers set created_at`, 1_000);
    expect(await pruneRecords(database, bounds)).toBe(0);
    await database.execute(
      sql`update containers set removed_at = now() - interval '25 hours' where removed_at is not null`,
    );
    expect(await pruneRecords(database, bounds)).toBe(1);
    expect(await findContainerById(database, removed.id)).toBeUndefined();
    expect(await findContainerById(database, kept.id)).toMatchObject({ name: "web" });
  });

  test("created exec sessions go by a bound of their own", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const exec = {
      id: execIdSchema.parse("e".repeat(64)),
      containerId: newContainerId(),
      spec: execSpecSchema.parse({ command: ["date"] }),
    };
    await ensureCreatedExec(database, exec);
    expect(await pruneRecords(database, bounds)).toBe(0);
    await age(database, sql`created_execs set created_at`, 2);
    expect(await pruneRecords(database, bounds)).toBe(1);
    expect(await findCreatedExec(database, exec.id)).toBeUndefined();
  });

  test("spans go beyond their number and their age", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const spans = Array.from({ length: 5 }, (_, index) => newSpan(index));
    await insertSpans(database, spans);
    const spansOnly = { ...bounds, spans: { spansMax: 3, ageMaxMs: hourMs } };
    expect(await pruneRecords(database, spansOnly)).toBe(2);
    const traceId = newSpan(0).traceId;
    const left = (await listSpans(database, traceId)).map(({ name }) => name);
    expect(left).toEqual(["span 2", "span 3", "span 4"]);
    await age(database, sql`spans set received_at`, 2);
    expect(await pruneRecords(database, spansOnly)).toBe(3);
    expect(await listSpans(database, traceId)).toEqual([]);
  });

  test("a replica leaves it to one that is at it", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    await database.transaction(async (transaction) => {
      await lockInTransaction(transaction, "pruning");
      expect(await pruneRecords(database, bounds)).toBeUndefined();
    });
    expect(await pruneRecords(database, bounds)).toBe(0);
  });
});
