import { containerIdSchema } from "@podfleet/model/ids";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  type ContainerFilters,
  findContainerById,
  findContainerNames,
  findContainerSpec,
  listContainers,
} from "./containers.ts";
import { migrateDatabase } from "./migrate.ts";
import { applyEvents, applySnapshot } from "./projection.ts";
import { addContainer, addHost, newEvent, newSnapshot, openRecords } from "./test-records.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ prepare: migrateDatabase });
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

const id = (start: string) => containerIdSchema.parse(start.padEnd(64, "0"));

/** In the order of their creation: `web` runs, `api` is paused, `db` has exited, `gone` is removed. */
async function openContainers() {
  const records = await openRecords(postgres);
  const { database } = records;
  const first = await addHost(database, "host-1");
  const second = await addHost(database, "host-2");
  const labels = { app: "shop", tier: "a=b" };
  const web = await addContainer(database, first, "web", { id: id("a1"), labels });
  const api = await addContainer(database, second, "api", {
    id: id("a2"),
    labels: { app: "shop", "quo'te": '"' },
  });
  const db = await addContainer(database, first, "db", { id: id("b3") });
  const gone = await addContainer(database, first, "gone", { id: id("c4") });
  await applySnapshot(database, first.id, newSnapshot(web, 1));
  await applySnapshot(database, second.id, newSnapshot(api, 1, { state: "paused" }));
  const exited = { state: "exited", exitedRun: 1, exitCode: 3 } as const;
  await applySnapshot(database, first.id, newSnapshot(db, 1, exited));
  await applyEvents(database, first.id, [
    newEvent(1, { type: "container.remove", containerId: gone.id }),
  ]);
  await database.execute(sql`
    update containers set created_at = timestamptz '2026-11-23 00:00:00Z' + make_interval(secs => numbered.n)
    from (select id, row_number() over (order by id) as n from containers) as numbered
    where numbered.id = containers.id`);
  const names = async (filters: Partial<ContainerFilters>) =>
    (await listContainers(database, { all: true, ...filters })).map(({ name }) => name);
  return { ...records, first, web, gone, names };
}

describe("listContainers", () => {
  test("the newest come first, up to the limit, without removed ones", async () => {
    await using records = await openContainers();
    const { names } = records;
    expect(await names({})).toEqual(["db", "api", "web"]);
    expect(await names({ limit: 2 })).toEqual(["db", "api"]);
    expect(await names({ limit: 0 })).toEqual([]);
  });

  test("only those that run or are paused are listed unless all are asked for", async () => {
    await using records = await openContainers();
    const { names } = records;
    expect(await names({ all: false })).toEqual(["api", "web"]);
    expect(await names({ all: false, state: ["exited"] })).toEqual(["db"]);
    expect(await names({ state: [] })).toEqual([]);
  });

  test("values of a filter are alternatives, except labels", async () => {
    await using records = await openContainers();
    const { names, first } = records;
    expect(await names({ host: ["host-1"] })).toEqual(["db", "web"]);
    expect(await names({ host: [first.id, "host-2"] })).toEqual(["db", "api", "web"]);
    expect(await names({ host: ["host-3"] })).toEqual([]);
    expect(await names({ name: ["we", "d"] })).toEqual(["db", "web"]);
    expect(await names({ id: ["a1", "b"] })).toEqual(["db", "web"]);
    expect(await names({ state: ["paused", "exited"] })).toEqual(["db", "api"]);
    expect(await names({ label: ["app=shop", "tier"] })).toEqual(["web"]);
    expect(await names({ label: ["app"], host: ["host-2"] })).toEqual(["api"]);
  });

  test("a label's value may hold an equals sign, a name's part is no pattern", async () => {
    await using records = await openContainers();
    const { names } = records;
    expect(await names({ label: ["tier=a=b"] })).toEqual(["web"]);
    expect(await names({ label: ["tier=a"] })).toEqual([]);
    expect(await names({ label: [`quo'te="`] })).toEqual(["api"]);
    for (const text of ["%", "_", "\\", "'; drop table containers; --"]) {
      expect(await names({ name: [text] })).toEqual([]);
      expect(await names({ label: [text] })).toEqual([]);
    }
    expect(await names({})).toHaveLength(3);
  });

  test("a summary has what the agent last reported and where the container is", async () => {
    await using records = await openContainers();
    const { database, first } = records;
    const [summary] = await listContainers(database, { all: true, name: ["db"] });
    expect(summary).toMatchObject({
      name: "db",
      image: "hello:1",
      command: ["serve"],
      state: "exited",
      exitCode: 3,
      createdAt: "2026-11-23T00:00:03.000Z",
      host: { id: first.id, name: "host-1", state: "ready" },
    });
  });
});

describe("containers by id", () => {
  test("removed ones are found while they are kept", async () => {
    await using records = await openContainers();
    const { database, web, gone } = records;
    expect(await findContainerById(database, gone.id)).toMatchObject({
      name: "gone",
      removedAt: expect.any(Date),
    });
    expect(await findContainerById(database, web.id)).toMatchObject({ removedAt: null });
    expect(await findContainerNames(database, [web.id, gone.id, id("f")])).toEqual(
      new Map([
        [web.id, "web"],
        [gone.id, "gone"],
      ]),
    );
    expect(await findContainerNames(database, [])).toEqual(new Map());
    expect(await findContainerSpec(database, web.id)).toMatchObject({ image: "hello:1" });
    expect(await findContainerSpec(database, id("f"))).toBeUndefined();
    expect(await findContainerById(database, id("f"))).toBeUndefined();
  });
});
