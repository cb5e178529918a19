import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Database } from "./database.ts";
import { type EventFilters, lastPosition, listEvents, listEventsAfter } from "./events.ts";
import { migrateDatabase } from "./migrate.ts";
import { applyEvents } from "./projection.ts";
import { addContainer, addHost, newEvent, openRecords } from "./test-records.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ prepare: migrateDatabase });
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

const at = (second: number): string => new Date(Date.UTC(2026, 10, 23, 0, 0, second)).toISOString();

/** Six events of two hosts: 1 to 4 of `web` on host-1, 5 of none on host-1, 6 of `db` on host-2. */
async function openEvents() {
  const records = await openRecords(postgres);
  const { database } = records;
  const first = await addHost(database, "host-1");
  const second = await addHost(database, "host-2");
  const web = await addContainer(database, first, "web");
  const db = await addContainer(database, second, "db");
  const types = [
    "container.create",
    "container.init",
    "container.start",
    "container.died",
  ] as const;
  const ofWeb = types.map((type, index) =>
    newEvent(index + 1, { type, time: at(index + 1), containerId: web.id }),
  );
  const attributes = { signal: "SIGTERM", code: 3, forced: true };
  await applyEvents(database, first.id, [
    ...ofWeb,
    newEvent(5, { type: "image.load", time: at(5), attributes }),
  ]);
  await applyEvents(database, second.id, [
    newEvent(1, { type: "container.create", time: at(0), containerId: db.id }),
  ]);
  return { ...records, first, second, web, db };
}

async function positions(database: Database, filters: EventFilters, limit = 100) {
  return (await listEvents(database, { ...filters, limit })).map(({ position }) => position);
}

describe("listEvents", () => {
  test("the order is that of positions, not of the hosts' clocks", async () => {
    await using records = await openEvents();
    expect(await positions(records.database, {})).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("a limit keeps the last ones, oldest first", async () => {
    await using records = await openEvents();
    expect(await positions(records.database, {}, 2)).toEqual([5, 6]);
    expect(await positions(records.database, { host: "host-1" }, 2)).toEqual([4, 5]);
    expect(await positions(records.database, {}, 0)).toEqual([]);
  });

  test("since and until include their own moment", async () => {
    await using records = await openEvents();
    const between = { since: new Date(at(2)), until: new Date(at(4)) };
    expect(await positions(records.database, between)).toEqual([2, 3, 4]);
    const never = { since: new Date(at(4)), until: new Date(at(2)) };
    expect(await positions(records.database, never)).toEqual([]);
  });

  test("a container is meant by its name, its id or any prefix of that", async () => {
    await using records = await openEvents();
    const { database, web } = records;
    for (const container of ["web", web.id, web.id.slice(0, 12)]) {
      expect(await positions(database, { container })).toEqual([1, 2, 3, 4]);
    }
    expect(await positions(database, { container: "we" })).toEqual([]);
  });

  test.each(["%", "_", "w%", `${"_".repeat(64)}`, "\\", "'; drop table events; --", "web'--"])(
    "%j is no pattern and no statement",
    async (container) => {
      await using records = await openEvents();
      expect(await positions(records.database, { container })).toEqual([]);
      expect(await positions(records.database, { host: container })).toEqual([]);
      expect(await lastPosition(records.database)).toBe(6);
    },
  );

  test("a host is meant by its name or its id, not by a prefix", async () => {
    await using records = await openEvents();
    const { database, second } = records;
    expect(await positions(database, { host: "host-2" })).toEqual([6]);
    expect(await positions(database, { host: second.id })).toEqual([6]);
    expect(await positions(database, { host: "host" })).toEqual([]);
  });

  test("types are alternatives, and filters are met together", async () => {
    await using records = await openEvents();
    const { database } = records;
    const types = ["container.create", "image.load"] as const;
    expect(await positions(database, { types })).toEqual([1, 5, 6]);
    expect(await positions(database, { types, host: "host-1" })).toEqual([1, 5]);
    expect(await positions(database, { types, container: "db" })).toEqual([6]);
    expect(await positions(database, { types: [] })).toEqual([]);
  });

  test("a record has what the host said", async () => {
    await using records = await openEvents();
    const { database, first, web } = records;
    const all = await listEvents(database, { limit: 10 });
    expect(all[0]).toEqual({
      position: 1,
      type: "container.create",
      time: at(1),
      host: { id: first.id, name: "host-1" },
      seq: 1,
      container: web,
      attributes: {},
    });
    expect(all[4]).toEqual({
      position: 5,
      type: "image.load",
      time: at(5),
      host: { id: first.id, name: "host-1" },
      seq: 5,
      attributes: { signal: "SIGTERM", code: 3, forced: true },
    });
  });
});

describe("listEventsAfter", () => {
  test("pages follow each other without a gap or a repetition", async () => {
    await using records = await openEvents();
    const seen: number[] = [];
    for (;;) {
      const page = await listEventsAfter(records.database, seen.at(-1) ?? 0, { limit: 4 });
      seen.push(...page.map(({ position }) => position));
      if (page.length < 4) break;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("the first of those that fit are given", async () => {
    await using records = await openEvents();
    const { database } = records;
    const after = await listEventsAfter(database, 1, { container: "web", limit: 2 });
    expect(after.map(({ position }) => position)).toEqual([2, 3]);
  });

  test("nothing comes after the last position", async () => {
    await using records = await openEvents();
    const { database } = records;
    expect(await listEventsAfter(database, 6, { limit: 10 })).toEqual([]);
    expect(await listEventsAfter(database, Number.MAX_SAFE_INTEGER, { limit: 10 })).toEqual([]);
  });
});

describe("lastPosition", () => {
  test("0 stands for a log without events", async () => {
    await using records = await openRecords(postgres);
    expect(await lastPosition(records.database)).toBe(0);
  });
});
