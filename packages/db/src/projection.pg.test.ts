import { newHostId, newOperationId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { findContainerById, listContainers } from "./containers.ts";
import { lastPosition, listEventsAfter } from "./events.ts";
import { getHost, registerHost } from "./hosts.ts";
import { listImages } from "./images.ts";
import { migrateDatabase } from "./migrate.ts";
import {
  getOperation,
  insertOperation,
  insertOperationHosts,
  listOperationHosts,
} from "./operations.ts";
import { applyEvents, applyOutcome, applyRepliedOutcome } from "./projection.ts";
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

const image = newImage("ab", { names: ["localhost/hello:1"] });

describe("the log", () => {
  test("events are stored once, in order, and a gap is refused", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    expect(await applyEvents(database, host.id, [newEvent(1), newEvent(2)])).toBe(2);
    expect(await applyEvents(database, host.id, [newEvent(1), newEvent(2)])).toBe(2);
    expect(await applyEvents(database, host.id, [newEvent(2), newEvent(3)])).toBe(3);
    expect(await applyEvents(database, host.id, [newEvent(5)])).toBe(3);
    expect(await applyEvents(database, host.id, [newEvent(4), newEvent(6)])).toBe(3);
    expect(await applyEvents(database, newHostId(), [newEvent(1)])).toBeUndefined();
    const stored = await listEventsAfter(database, 0, { limit: 10 });
    expect(stored.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(await registerHost(database, host, [])).toBe(3);
  });

  test("a host that is new to these records may begin anywhere", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    expect(await applyEvents(database, host.id, [newEvent(41), newEvent(42)])).toBe(42);
    expect(await applyEvents(database, host.id, [newEvent(44)])).toBe(42);
  });

  test("the same batch sent twice at once is stored once", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    const batch = Array.from({ length: 20 }, (_each, index) => newEvent(index + 1));
    const committed = await Promise.all(
      Array.from({ length: 5 }, async () => await applyEvents(database, host.id, batch)),
    );
    expect(committed).toEqual([20, 20, 20, 20, 20]);
    expect(await listEventsAfter(database, 0, { limit: 100 })).toHaveLength(20);
  });

  test("a reader that goes on from what it has seen skips nothing while many hosts write", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const hosts = await Promise.all(
      Array.from({ length: 4 }, async (_each, index) => await addHost(database, `host-${index}`)),
    );
    const seen: number[] = [];
    const writing = Promise.all(
      hosts.map(async ({ id }) => {
        for (let seq = 1; seq <= 25; seq += 1) await applyEvents(database, id, [newEvent(seq)]);
      }),
    );
    let position = 0;
    while (seen.length < 100) {
      const end = await lastPosition(database);
      const batch = await listEventsAfter(database, position, { limit: 50 });
      seen.push(...batch.map((each) => each.position));
      position = Math.max(position, batch.length < 50 ? end : 0, seen.at(-1) ?? 0);
    }
    await writing;
    expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b));
    expect(seen).toHaveLength(100);
  });
});

describe("containers", () => {
  test("a snapshot counts only when its revision is higher", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    const container = await addContainer(database, host, "web");
    const id = await addOperation(database, { host, verb: "container.stop", container });
    const stopped = newSnapshot(container, 5, { state: "exited", exitCode: 0, exitedRun: 1 });
    await applyRepliedOutcome(database, host.id, {
      id,
      outcome: { status: "succeeded", container: stopped },
    });
    await applyEvents(database, host.id, [
      newEvent(1, { containerId: container.id, container: newSnapshot(container, 3) }),
      newEvent(2, { containerId: container.id, container: newSnapshot(container, 4) }),
    ]);
    const row = await findContainerById(database, container.id);
    expect(row).toMatchObject({ state: "exited", revision: 5 });
  });

  test("an agent changes containers and operations of its own host only", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const [mine, other] = [await addHost(database, "host-1"), await addHost(database, "host-2")];
    const container = await addContainer(database, mine, "web");
    const id = await addOperation(database, { host: mine, verb: "container.start", container });
    const outcome = { status: "succeeded", container: newSnapshot(container, 2) } as const;
    const operation = { id, verb: "container.start", outcome } as const;
    await applyEvents(database, other.id, [
      newEvent(1, { containerId: container.id, container: outcome.container, operation }),
      newEvent(2, { type: "container.remove", containerId: container.id }),
    ]);
    expect(await findContainerById(database, container.id)).toMatchObject({
      state: "unknown",
      removedAt: null,
    });
    expect((await getOperation(database, id)).status).toBe("dispatched");
  });

  test("removal by event or by reply frees the name and the reservation", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    const [first, second] = [
      await addContainer(database, host, "first"),
      await addContainer(database, host, "second"),
    ];
    await applyEvents(database, host.id, [
      newEvent(1, { type: "container.remove", containerId: first.id }),
    ]);
    const id = await addOperation(database, { host, verb: "container.remove", container: second });
    const last = newSnapshot(second, 9, { state: "removing" });
    await applyRepliedOutcome(database, host.id, {
      id,
      outcome: { status: "succeeded", container: last },
    });
    expect(await listContainers(database, { all: true })).toEqual([]);
    expect((await getHost(database, "host-1")).containers).toEqual({ total: 0, running: 0 });
    await addContainer(database, host, "first");
    const [named] = await listEventsAfter(database, 0, { limit: 1 });
    expect(named?.container).toEqual({ id: first.id, name: "first" });
  });

  test("a creation that failed leaves no container, one that left something behind does", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    const error = { code: "STORAGE_FAILED", message: "The disk is full" } as const;
    const [gone, left] = [
      await addContainer(database, host, "gone"),
      await addContainer(database, host, "left"),
    ];
    const failures = [
      {
        id: await addOperation(database, { host, verb: "container.create", container: gone }),
        container: undefined,
      },
      {
        id: await addOperation(database, { host, verb: "container.create", container: left }),
        container: newSnapshot(left, 1, { state: "configured" }),
      },
    ];
    for (const { id, container } of failures) {
      const outcome = { status: "failed", error, ...(container ? { container } : {}) } as const;
      await applyRepliedOutcome(database, host.id, { id, outcome });
    }
    const names = (await listContainers(database, { all: true })).map(({ name }) => name);
    expect(names).toEqual(["left"]);
  });
});

describe("operations", () => {
  test("an outcome is recorded once", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    const container = await addContainer(database, host, "web");
    const id = await addOperation(database, { host, verb: "container.start", container });
    const error = { code: "RUNTIME_FAILED", message: "No" } as const;
    await applyOutcome(database, host.id, { id, outcome: { status: "succeeded" } });
    await applyOutcome(database, host.id, { id, outcome: { status: "failed", error } });
    expect(await getOperation(database, id)).toMatchObject({ status: "succeeded" });
  });

  test("a reply and the event of it at once are recorded once", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    const container = await addContainer(database, host, "web");
    for (let seq = 1; seq <= 20; seq += 1) {
      const id = await addOperation(database, { host, verb: "container.start", container });
      const state = seq % 2 === 0 ? "exited" : "running";
      const outcome = {
        status: "succeeded",
        container: newSnapshot(container, seq, { state }),
      } as const;
      const operation = { id, verb: "container.start", outcome } as const;
      const told = newEvent(seq, {
        containerId: container.id,
        container: outcome.container,
        operation,
      });
      const [committed] = await Promise.all([
        applyEvents(database, host.id, [told]),
        applyRepliedOutcome(database, host.id, { id, outcome }),
        applyOutcome(database, host.id, { id, outcome }),
      ]);
      expect(committed).toBe(seq);
      expect(await getOperation(database, id)).toMatchObject({ status: "succeeded" });
      const row = await findContainerById(database, container.id);
      expect(row).toMatchObject({ revision: seq, state });
    }
  });

  test("one that concerns several hosts finishes with the last, though they finish at once", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const hosts = await Promise.all(
      Array.from({ length: 6 }, async (_each, index) => await addHost(database, `host-${index}`)),
    );
    const id = newOperationId();
    const operation = { id, verb: "image.load", request: {}, caller: "test" } as const;
    await insertOperation(database, { ...operation, traceId: undefined }, "pending");
    await insertOperationHosts(
      database,
      id,
      hosts.map((host) => host.id),
    );
    const outcome: OperationOutcome = { status: "succeeded", images: [image] };
    await Promise.all(
      hosts.slice(1).map((host) => applyRepliedOutcome(database, host.id, { id, outcome })),
    );
    expect((await getOperation(database, id)).status).toBe("pending");
    const error = { code: "IMAGE_INVALID", message: "No" } as const;
    const [first] = hosts;
    await applyRepliedOutcome(database, first?.id ?? newHostId(), {
      id,
      outcome: { status: "failed", error },
    });
    expect((await getOperation(database, id)).status).toBe("succeeded");
    const parts = await listOperationHosts(database, id);
    expect(parts.map((part) => part.outcome?.status)).toEqual([
      "failed",
      ...Array.from({ length: 5 }, () => "succeeded"),
    ]);
    expect(await listImages(database)).toEqual([
      { ...image, hosts: ["host-1", "host-2", "host-3", "host-4", "host-5"] },
    ]);
  });
});

describe("hosts", () => {
  test("a name that another host has is refused", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    await expect(registerHost(database, { ...host, id: newHostId() }, [])).rejects.toMatchObject({
      code: "NAME_IN_USE",
    });
    await registerHost(database, { ...host, name: "renamed" }, [image]);
    expect((await getHost(database, host.id)).name).toBe("renamed");
  });

  test("a name goes from the image that had it to the one that has it now", async () => {
    await using records = await openRecords(postgres);
    const { database } = records;
    const host = await addHost(database, "host-1");
    await registerHost(database, host, [image]);
    const newer = newImage("cd", { names: image.names });
    await applyEvents(database, host.id, [newEvent(1, { type: "image.load", image: newer })]);
    const names = (await listImages(database)).map((each) => [each.id, each.names]);
    expect(names).toEqual([
      [image.id, []],
      [newer.id, ["localhost/hello:1"]],
    ]);
    await registerHost(database, host, [newer]);
    expect(await listImages(database)).toHaveLength(1);
  });
});
