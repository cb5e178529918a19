import { newHostId } from "@podfleet/model/ids";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Database } from "./database.ts";
import { getHost, listHostLiveness, listHosts, registerHost, touchHosts } from "./hosts.ts";
import { migrateDatabase } from "./migrate.ts";
import { insertClaims } from "./placement.ts";
import { applyEvents, applySnapshot } from "./projection.ts";
import {
  addContainer,
  addHost,
  addOperation,
  newEvent,
  newHost,
  newSnapshot,
  openRecords,
} from "./test-records.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ prepare: migrateDatabase });
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

async function silence(database: Database): Promise<void> {
  await database.execute(sql`update hosts set last_seen_at = now() - interval '1 hour'`);
}

async function states(database: Database): Promise<Record<string, string>> {
  const rows = await listHostLiveness(database);
  return Object.fromEntries(rows.map(({ name, state }) => [name, state]));
}

describe("registerHost", () => {
  test("a host's hello answers with the last of its events that is stored", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = newHost("host-1");
    expect(await registerHost(database, host, [])).toBe(0);
    await applyEvents(database, host.id, [newEvent(1), newEvent(2)]);
    expect(await registerHost(database, host, [])).toBe(2);
  });

  test("a later hello brings what the host is now, and its new name", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1", { labels: { zone: "a" } });
    const capacity = { cpuMillis: 8_000, memoryBytes: 2 ** 40 };
    const labels = { zone: "b", "quo'te": '"; drop table hosts; --' };
    await registerHost(database, { ...host, name: "host-9", labels, capacity }, []);
    const [record, ...others] = await listHosts(database);
    expect(others).toEqual([]);
    expect(record).toMatchObject({ id: host.id, name: "host-9", labels, capacity });
  });

  test("a name belongs to one host, also when two take it at once", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const answers = await Promise.allSettled(
      Array.from({ length: 4 }, async () => await registerHost(database, newHost("same"), [])),
    );
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(registerHost(database, newHost("same"), [])).rejects.toMatchObject({
      code: "NAME_IN_USE",
      details: { host: "same" },
    });
    expect(await listHosts(database)).toHaveLength(1);
  });
});

describe("a host's state", () => {
  test("a host is ready until it has been silent for too long, and again when it is heard", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const first = await addHost(database, "host-1");
    await addHost(database, "host-2");
    expect(await states(database)).toEqual({ "host-1": "ready", "host-2": "ready" });
    await silence(database);
    expect(await states(database)).toEqual({ "host-1": "unreachable", "host-2": "unreachable" });
    await touchHosts(database, [first.id, newHostId()]);
    expect(await states(database)).toEqual({ "host-1": "ready", "host-2": "unreachable" });
    await touchHosts(database, []);
    expect(await states(database)).toEqual({ "host-1": "ready", "host-2": "unreachable" });
  });
});

describe("listHosts", () => {
  test("hosts are in the order of their names and found by name or id", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const hosts = [await addHost(database, "b"), await addHost(database, "a")];
    expect((await listHosts(database)).map(({ name }) => name)).toEqual(["a", "b"]);
    for (const { id, name } of hosts) {
      expect(await getHost(database, name)).toMatchObject({ id, name });
      expect(await getHost(database, id)).toMatchObject({ id, name });
    }
    for (const reference of ["", "%", "A", "b%", "' or true --", newHostId()]) {
      await expect(getHost(database, reference)).rejects.toMatchObject({
        code: "HOST_NOT_FOUND",
        details: { host: reference },
      });
    }
  });

  test("a host's containers count, with their reservations and what is claimed", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    await addHost(database, "idle");
    const reservation = { cpuMillis: 500, memoryBytes: 2 ** 32 };
    const web = await addContainer(database, host, "web", { reservation });
    const gone = await addContainer(database, host, "gone", { reservation });
    await applySnapshot(database, host.id, newSnapshot(web, 1));
    await applyEvents(database, host.id, [
      newEvent(1, { type: "container.remove", containerId: gone.id }),
    ]);
    const operationId = await addOperation(database, { host, verb: "container.update" });
    const extra = { cpuMillis: 250, memoryBytes: 0 };
    await insertClaims(database, { operationId, hostId: host.id, names: [], extra });
    expect(await getHost(database, "host-1")).toMatchObject({
      reserved: { cpuMillis: 750, memoryBytes: 2 ** 32 },
      containers: { total: 1, running: 1 },
    });
    expect(await getHost(database, "idle")).toMatchObject({
      reserved: { cpuMillis: 0, memoryBytes: 0 },
      containers: { total: 0, running: 0 },
    });
  });
});
