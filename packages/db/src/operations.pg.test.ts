import { newContainerId, newOperationId, type OperationId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Database } from "./database.ts";
import { migrateDatabase } from "./migrate.ts";
import {
  driveLeaseMs,
  extendDrive,
  failAbandoned,
  findOperation,
  getOperation,
  getOperationRow,
  insertOperation,
  insertOperationHosts,
  joinOperation,
  listAbandoned,
  listOperationHosts,
  listOperations,
  listUnsettled,
  lockSoleAttempt,
  markDispatched,
  type OperationFilters,
  releaseDrive,
} from "./operations.ts";
import { applyOutcome } from "./projection.ts";
import { addContainer, addHost, addOperation, openRecords } from "./test-records.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ prepare: migrateDatabase });
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

const failed: OperationOutcome = {
  status: "failed",
  error: { code: "RUNTIME_FAILED", message: "runc said no" },
};

async function openHost() {
  const records = await openRecords(postgres);
  const host = await addHost(records.database, "host-1");
  return { ...records, host };
}

/** Lets the lease of an operation end `seconds` ago. */
async function expireLease(database: Database, id: OperationId, seconds: number): Promise<void> {
  await database.execute(sql`
    update operations set driven_until = clock_timestamp() - make_interval(secs => ${seconds}) where id = ${id}`);
}

async function leaseMs(database: Database, id: OperationId): Promise<number> {
  const { rows } = await database.execute<{ ms: string }>(sql`
    select extract(epoch from driven_until - clock_timestamp()) * 1000 as ms from operations where id = ${id}`);
  return Number(rows[0]?.ms);
}

async function loseHost(database: Database): Promise<void> {
  await database.execute(sql`update hosts set last_seen_at = now() - interval '1 hour'`);
}

describe("insertOperation", () => {
  const operation = {
    id: newOperationId(),
    verb: "container.stop",
    request: { container: "web", timeoutSeconds: 3 },
    caller: "ops",
    traceId: "a".repeat(32),
  } as const;

  test("an id is taken once, also by many at once", async () => {
    await using records = await openHost();
    const { database } = records;
    const inserted = await Promise.all(
      Array.from({ length: 4 }, async () => await insertOperation(database, operation, "pending")),
    );
    expect(inserted.filter(Boolean)).toHaveLength(1);
    expect(await insertOperation(database, { ...operation, caller: "me" }, "pending")).toBe(false);
    expect(await getOperation(database, operation.id)).toMatchObject({
      caller: "ops",
      status: "pending",
      traceId: operation.traceId,
    });
  });

  test("one that is refused before it is sent is finished at once", async () => {
    await using records = await openHost();
    const { database } = records;
    await insertOperation(database, { ...operation, outcome: failed }, "pending");
    const { finishedAt, ...rest } = await getOperation(database, operation.id);
    expect(rest).toMatchObject({ status: "failed", error: { code: "RUNTIME_FAILED" } });
    expect(finishedAt).toBeDefined();
    expect(await listAbandoned(database, { idleMs: 0, max: 10 })).toEqual([]);
  });
});

describe("findOperation", () => {
  const request = { container: "web", labels: { a: "1", b: "2" } };

  async function openOperation() {
    const records = await openHost();
    const id = newOperationId();
    const operation = { id, verb: "container.stop", request, caller: "a" } as const;
    await insertOperation(records.database, { ...operation, traceId: undefined }, "dispatched");
    return { ...records, id };
  }

  test("the same request finds it, whatever the order of its keys", async () => {
    await using records = await openOperation();
    const { database, id } = records;
    const reordered = { labels: { b: "2", a: "1" }, container: "web" };
    expect(await findOperation(database, id, reordered)).toMatchObject({ id, attempts: 1 });
    expect(await findOperation(database, newOperationId(), request)).toBeUndefined();
  });

  test.each([
    ["another value", { ...request, container: "db" }],
    ["one field more", { ...request, force: true }],
    ["one field less", { container: "web" }],
    ["nothing", {}],
  ])("%s is a conflict", async (_what, other) => {
    await using records = await openOperation();
    const { database, id } = records;
    await expect(findOperation(database, id, other)).rejects.toMatchObject({
      code: "CONFLICT",
      details: { operationId: id, verb: "container.stop" },
    });
  });
});

describe("an operation's driver", () => {
  test("the lease is renewed by who joins and by who says it is still there, and given back", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const id = await addOperation(database, { host, verb: "container.stop" });
    expect(await leaseMs(database, id)).toBeGreaterThan(driveLeaseMs / 2);
    await expireLease(database, id, 60);
    expect(await joinOperation(database, id)).toMatchObject({ attempts: 2, finishedAt: null });
    expect(await leaseMs(database, id)).toBeGreaterThan(driveLeaseMs / 2);
    await expireLease(database, id, 60);
    await extendDrive(database, id);
    expect(await leaseMs(database, id)).toBeGreaterThan(driveLeaseMs / 2);
    await releaseDrive(database, id);
    expect(await leaseMs(database, id)).toBeLessThanOrEqual(0);
  });

  test("one that has finished is joined with its outcome and stays as it is", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const id = await addOperation(database, { host, verb: "container.stop" });
    await applyOutcome(database, host.id, { id, outcome: failed });
    const before = await getOperationRow(database, id);
    expect(before).toMatchObject({ status: "failed", outcome: failed });
    expect(await joinOperation(database, id)).toEqual(before);
    await extendDrive(database, id);
    await releaseDrive(database, id);
    await markDispatched(database, id);
    await failAbandoned(database, id, failed);
    expect(await getOperationRow(database, id)).toEqual(before);
  });

  test("an operation that nobody has recorded cannot be joined", async () => {
    await using records = await openHost();
    await expect(joinOperation(records.database, newOperationId())).rejects.toMatchObject({
      code: "OPERATION_NOT_FOUND",
    });
  });

  test("a sole attempt is one that nobody has joined or finished", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const [sole, joined, finished] = await Promise.all(
      Array.from({ length: 3 }, async () =>
        addOperation(database, { host, verb: "container.stop" }),
      ),
    );
    if (!sole || !joined || !finished) throw new Error("There are three operations");
    await joinOperation(database, joined);
    await applyOutcome(database, host.id, { id: finished, outcome: failed });
    expect(await lockSoleAttempt(database, sole)).toBe(true);
    for (const id of [joined, finished, newOperationId()]) {
      expect(await lockSoleAttempt(database, id)).toBe(false);
    }
  });
});

describe("listUnsettled", () => {
  test("an operation that was sent and left is listed, the one left longest first", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const [first, second, held, pending] = [
      await addOperation(database, { host, verb: "container.stop" }),
      await addOperation(database, { host, verb: "container.kill" }),
      await addOperation(database, { host, verb: "container.stop" }),
      await addOperation(database, { host, verb: "container.stop", status: "pending" }),
    ];
    await expireLease(database, first, 10);
    await expireLease(database, second, 20);
    await expireLease(database, pending, 30);
    const ids = async (limit: number) => (await listUnsettled(database, limit)).map(({ id }) => id);
    expect(await ids(10)).toEqual([second, first]);
    expect(await ids(1)).toEqual([second]);
    await releaseDrive(database, held);
    expect(await ids(10)).toEqual([second, first, held]);
    await applyOutcome(database, host.id, { id: second, outcome: failed });
    expect(await ids(10)).toEqual([first, held]);
    await loseHost(database);
    expect(await ids(10)).toEqual([]);
  });

  test("one of several hosts is listed for each that has not answered", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const other = await addHost(database, "host-2");
    const id = newOperationId();
    const load = { id, verb: "image.load", request: {}, caller: "a", traceId: undefined } as const;
    await insertOperation(database, load, "dispatched");
    await insertOperationHosts(database, id, [other.id, host.id]);
    await insertOperationHosts(database, id, [host.id]);
    await expireLease(database, id, 1);
    const hostNames = async () =>
      (await listUnsettled(database, 10)).map((unsettled) => unsettled.host.name).toSorted();
    expect(await hostNames()).toEqual(["host-1", "host-2"]);
    await applyOutcome(database, host.id, { id, outcome: failed });
    expect(await hostNames()).toEqual(["host-2"]);
    expect(await listOperationHosts(database, id)).toEqual([
      { host: { id: host.id, name: "host-1" }, outcome: failed },
      { host: { id: other.id, name: "host-2" }, outcome: null },
    ]);
  });
});

describe("abandoned operations", () => {
  test("they are pending and were left for long enough", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const pending = { host, verb: "container.create", status: "pending" } as const;
    const left = await addOperation(database, pending);
    const sent = await addOperation(database, { ...pending, status: "dispatched" });
    await expireLease(database, left, 60);
    await expireLease(database, sent, 60);
    const listed = async (idleMs: number, max = 10) =>
      (await listAbandoned(database, { idleMs, max })).map(({ id }) => id);
    expect(await listed(59_000)).toEqual([left]);
    expect(await listed(120_000)).toEqual([]);
    expect(await listed(0, 0)).toEqual([]);
    await failAbandoned(database, left, failed);
    await failAbandoned(database, sent, failed);
    expect(await getOperation(database, left)).toMatchObject({ status: "failed" });
    expect(await getOperation(database, sent)).toMatchObject({ status: "dispatched" });
    expect(await listed(59_000)).toEqual([]);
  });

  test("one that is sent after all is no longer among them", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const id = await addOperation(database, { host, verb: "container.create", status: "pending" });
    await expireLease(database, id, 60);
    await markDispatched(database, id);
    expect(await listAbandoned(database, { idleMs: 1_000, max: 10 })).toEqual([]);
    await failAbandoned(database, id, failed);
    expect(await getOperation(database, id)).toMatchObject({ status: "dispatched" });
  });
});

describe("listOperations", () => {
  async function openOperations() {
    const records = await openHost();
    const { database, host } = records;
    const other = await addHost(database, "host-2");
    const web = await addContainer(database, host, "web");
    const db = await addContainer(database, other, "db");
    await addOperation(database, { host, verb: "container.start", container: web });
    const stop = await addOperation(database, {
      host: other,
      verb: "container.stop",
      container: db,
    });
    await applyOutcome(database, other.id, { id: stop, outcome: failed });
    await database.execute(sql`
      update operations set created_at = timestamptz '2026-11-23 00:00:00Z' + make_interval(secs => numbered.n)
      from (select id, row_number() over (order by id) as n from operations) as numbered
      where numbered.id = operations.id`);
    const list = async (filters: Partial<OperationFilters>) =>
      (await listOperations(database, { limit: 100, ...filters })).map(
        ({ verb, container }) => `${verb} ${container?.name}`,
      );
    return { ...records, web, db, other, list };
  }

  test("the newest come first, up to the limit", async () => {
    await using records = await openOperations();
    const all = [
      "container.stop db",
      "container.start web",
      "container.create db",
      "container.create web",
    ];
    expect(await records.list({})).toEqual(all);
    expect(await records.list({ limit: 2 })).toEqual(all.slice(0, 2));
    expect(await records.list({ limit: 0 })).toEqual([]);
  });

  test("filters by container, host and status are met together", async () => {
    await using records = await openOperations();
    const { list, web, db, other } = records;
    const ofWeb = ["container.start web", "container.create web"];
    for (const container of ["web", web.id, web.id.slice(0, 16)]) {
      expect(await list({ container })).toEqual(ofWeb);
    }
    for (const host of ["host-2", other.id]) {
      expect(await list({ host })).toEqual(["container.stop db", "container.create db"]);
    }
    expect(await list({ status: "failed" })).toEqual(["container.stop db"]);
    expect(await list({ status: "dispatched", container: db.id })).toEqual(["container.create db"]);
    expect(await list({ container: "web", host: "host-2" })).toEqual([]);
    expect(await list({ container: newContainerId() })).toEqual([]);
  });

  test.each(["%", "_", "w_b", "\\", "'; drop table operations; --"])(
    "%j is no pattern and no statement",
    async (text) => {
      await using records = await openOperations();
      expect(await records.list({ container: text })).toEqual([]);
      expect(await records.list({ host: text })).toEqual([]);
      expect(await records.list({})).toHaveLength(4);
    },
  );

  test("a record has its error, its host and when it finished", async () => {
    await using records = await openOperations();
    const { database, db, other } = records;
    const [record] = await listOperations(database, { limit: 1 });
    expect(record).toMatchObject({
      verb: "container.stop",
      status: "failed",
      container: db,
      host: { id: other.id, name: "host-2" },
      error: { code: "RUNTIME_FAILED", message: "runc said no" },
      createdAt: "2026-11-23T00:00:04.000Z",
    });
    expect(record?.finishedAt).toBeDefined();
    expect(record).not.toHaveProperty("traceId");
  });

  test("an id that is not recorded is not found", async () => {
    await using records = await openHost();
    const id = newOperationId();
    await expect(getOperation(records.database, id)).rejects.toMatchObject({
      code: "OPERATION_NOT_FOUND",
      details: { operationId: id },
    });
  });
});
