import { newContainerId } from "@podfleet/model/ids";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { violatesUnique } from "./database-error.ts";
import type { Database } from "./database.ts";
import { addImages } from "./images.ts";
import { migrateDatabase } from "./migrate.ts";
import {
  insertClaims,
  isNameTaken,
  locateContainers,
  lockPlacement,
  type PlacementRecords,
} from "./placement.ts";
import { applyEvents, applyOutcome } from "./projection.ts";
import {
  addContainer,
  addHost,
  addOperation,
  newEvent,
  newImage,
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

const none = { cpuMillis: 0, memoryBytes: 0 };

async function openHost() {
  const records = await openRecords(postgres);
  const host = await addHost(records.database, "host-1", { labels: { zone: "a" } });
  return { ...records, host };
}

async function read(database: Database, name: string): Promise<PlacementRecords> {
  return await database.transaction(async (transaction) => await lockPlacement(transaction, name));
}

describe("lockPlacement", () => {
  test("a host comes with its labels, capacity, reservations, containers and images", async () => {
    await using records = await openHost();
    const { database, host } = records;
    await addHost(database, "idle");
    const reservation = { cpuMillis: 500, memoryBytes: 2 ** 32 };
    await addContainer(database, host, "web", { reservation });
    const image = newImage("a");
    await addImages(database, host.id, [image]);
    const { hosts, isNameTaken: isTaken } = await read(database, "new");
    expect(isTaken).toBe(false);
    expect(hosts.find(({ name }) => name === "host-1")).toMatchObject({
      id: host.id,
      state: "ready",
      labels: { zone: "a" },
      capacity: { cpuMillis: 4_000, memoryBytes: 2 ** 33 },
      reserved: reservation,
      containers: 1,
      images: [{ id: image.id, names: image.names }],
    });
    expect(hosts.find(({ name }) => name === "idle")).toMatchObject({
      reserved: none,
      containers: 0,
      images: [],
    });
  });

  test("a fleet without hosts has no records", async () => {
    await using records = await openRecords(postgres);
    expect(await read(records.database, "new")).toEqual({ isNameTaken: false, hosts: [] });
  });

  test("placements follow one another, and each sees what the one before it wrote", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const reservation = { cpuMillis: 100, memoryBytes: 0 };
    const seen = await Promise.all(
      Array.from({ length: 5 }, async (_, index) => {
        return await database.transaction(async (transaction) => {
          const { hosts } = await lockPlacement(transaction, `c-${index}`);
          await addContainer(transaction, host, `c-${index}`, { reservation });
          return hosts[0]?.reserved.cpuMillis;
        });
      }),
    );
    expect(new Set(seen)).toEqual(new Set([0, 100, 200, 300, 400]));
  });
});

describe("names", () => {
  test("a name is taken by a container until it is removed", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const web = await addContainer(database, host, "web");
    expect(await isNameTaken(database, "web")).toBe(true);
    expect(await isNameTaken(database, "web", web.id)).toBe(false);
    expect((await read(database, "web")).isNameTaken).toBe(true);
    await applyEvents(database, host.id, [
      newEvent(1, { type: "container.remove", containerId: web.id }),
    ]);
    expect(await isNameTaken(database, "web")).toBe(false);
    expect((await read(database, "web")).isNameTaken).toBe(false);
  });

  test("a name is taken by an operation under way until it ends", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const web = await addContainer(database, host, "web");
    const rename = { host, verb: "container.rename", container: web } as const;
    const operationId = await addOperation(database, rename);
    const claim = { operationId, hostId: host.id, names: ["api"], extra: none };
    await insertClaims(database, claim);
    expect(await isNameTaken(database, "api")).toBe(true);
    expect(await isNameTaken(database, "api", web.id)).toBe(true);
    expect((await read(database, "api")).isNameTaken).toBe(true);
    const other = await addOperation(database, rename);
    const second = insertClaims(database, { ...claim, operationId: other });
    await expect(second).rejects.toSatisfy((error) => violatesUnique(error, "claims_name_unique"));
    const container = newSnapshot({ ...web, name: "api" }, 1);
    const outcome = { status: "succeeded", container } as const;
    await applyOutcome(database, host.id, { id: operationId, outcome });
    expect(await isNameTaken(database, "api", web.id)).toBe(false);
    expect(await isNameTaken(database, "web")).toBe(false);
  });

  test.each(["", "%", "WEB", "web ", "w_b", "'; drop table claims; --"])(
    "%j is not the name of another",
    async (name) => {
      await using records = await openHost();
      const { database, host } = records;
      await addContainer(database, host, "web");
      expect(await isNameTaken(database, name)).toBe(false);
      expect((await read(database, name)).isNameTaken).toBe(false);
    },
  );
});

describe("claims", () => {
  test("what an operation may add to a container's reservation counts until it ends", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const web = await addContainer(database, host, "web");
    const update = { host, verb: "container.update", container: web } as const;
    const operationId = await addOperation(database, update);
    const extra = { cpuMillis: 250, memoryBytes: 2 ** 20 };
    await insertClaims(database, { operationId, hostId: host.id, names: ["a", "b"], extra });
    expect((await read(database, "new")).hosts[0]?.reserved).toEqual(extra);
    const error = { code: "INTERNAL", message: "no" } as const;
    const outcome = { status: "failed", error } as const;
    await applyOutcome(database, host.id, { id: operationId, outcome });
    expect((await read(database, "new")).hosts[0]?.reserved).toEqual(none);
  });

  test("an operation that adds nothing claims nothing", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const operationId = await addOperation(database, { host, verb: "container.update" });
    await insertClaims(database, { operationId, hostId: host.id, names: [], extra: none });
    expect((await read(database, "new")).hosts[0]?.reserved).toEqual(none);
  });
});

describe("locateContainers", () => {
  test("containers that do not exist or were removed are left out", async () => {
    await using records = await openHost();
    const { database, host } = records;
    const web = await addContainer(database, host, "web");
    const gone = await addContainer(database, host, "gone");
    await applyEvents(database, host.id, [
      newEvent(1, { type: "container.remove", containerId: gone.id }),
    ]);
    const located = await locateContainers(database, [web.id, gone.id, newContainerId()]);
    expect(located).toEqual([{ ...web, hostId: host.id }]);
    expect(await locateContainers(database, [])).toEqual([]);
  });
});
