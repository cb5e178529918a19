import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import { containerSpecSchema } from "@podfleet/model/container/spec";
import {
  type ContainerId,
  imageIdSchema,
  newContainerId,
  newOperationId,
} from "@podfleet/model/ids";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { ContainerRecord } from "./container-record.ts";
import { StateStore } from "./state-store.ts";

let directory: string;
let store: StateStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "podfleet-store-"));
  store = open();
});

afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true });
});

function open(): StateStore {
  return StateStore.open(join(directory, "engine.sqlite"), systemClock);
}

function reopen(): void {
  store.close();
  store = open();
}

function seqs(): number[] {
  return store.outbox.after(0, 10).map(({ seq }) => seq);
}

function newRecord(id: ContainerId = newContainerId()): ContainerRecord {
  return {
    spec: containerSpecSchema.parse({ image: "busybox" }),
    processes: {},
    snapshot: {
      id,
      name: `c-${id.slice(0, 8)}`,
      revision: 1,
      state: "configured",
      imageId: imageIdSchema.parse(`sha256:${"0".repeat(64)}`),
      run: 0,
      exitedRun: 0,
      exitUnknown: false,
      oomKilled: false,
      stoppedByUser: false,
      restartCount: 0,
      createdAt: new Date(0).toISOString(),
    },
  };
}

describe("StateStore", () => {
  test("what was committed is there after a reopen", () => {
    const record = newRecord();
    store.create(record, { event: "container.create" });
    store.update(record.snapshot.id, { state: "created", pid: 7 }, { event: "container.init" });
    reopen();
    const { snapshot, spec } = store.get(record.snapshot.id);
    expect(snapshot).toMatchObject({ state: "created", pid: 7, revision: 2 });
    expect(spec).toEqual(record.spec);
  });

  test("undefined clears a field", () => {
    const record = newRecord();
    store.create(record, { event: "container.create" });
    store.update(record.snapshot.id, { state: "created", pid: 7 }, { event: "container.init" });
    store.update(
      record.snapshot.id,
      { state: "stopped", pid: undefined },
      { event: "container.died" },
    );
    expect(store.get(record.snapshot.id).snapshot).not.toHaveProperty("pid");
  });

  test("a change of state that the model does not know is a defect", () => {
    const record = newRecord();
    store.create(record, { event: "container.create" });
    const change = () =>
      store.update(record.snapshot.id, { state: "paused" }, { event: "container.sync" });
    expect(change).toThrow('from "configured" to "paused"');
    expect(store.get(record.snapshot.id).snapshot.revision).toBe(1);
  });

  test("an operation's outcome, its event and the state are one commit", () => {
    const record = newRecord();
    const id = newOperationId();
    const action = {
      verb: "container.create",
      containerId: record.snapshot.id,
      name: record.snapshot.name,
      spec: record.spec,
    } as const;
    store.operations.begin({ id, action, actionHash: "h", startedAtMs: 1 });
    expect(store.operations.unfinished()).toEqual([{ id, action }]);
    store.create(record, {
      event: "container.create",
      operation: { id, verb: "container.create" },
      ends: "succeeded",
    });
    reopen();
    const outcome = { status: "succeeded", container: record.snapshot };
    expect(store.operations.find(id)).toEqual({ status: "finished", actionHash: "h", outcome });
    expect(store.operations.unfinished()).toEqual([]);
    expect(store.outbox.after(0, 10)).toMatchObject([
      { seq: 1, type: "container.create", operation: { id, outcome } },
    ]);
  });

  test("a removed container's name is free and its exits stay known", () => {
    const record = newRecord();
    const { id, name } = record.snapshot;
    store.create(record, { event: "container.create" });
    store.update(id, { state: "created" }, { event: "container.init" });
    store.update(id, { state: "running", run: 1 }, { event: "container.start" });
    store.update(id, { state: "stopped", exitedRun: 1, exitCode: 3 }, { event: "container.died" });
    store.update(id, { state: "removing" }, { event: "container.cleanup" });
    store.remove(id, { event: "container.remove" });
    expect(store.find(id)).toBeUndefined();
    expect(store.findRemoved(id)).toMatchObject({ state: "removing", exitCode: 3 });
    expect(store.findExit(id, 1)).toMatchObject({ exitCode: 3 });
    const successor = newRecord();
    store.create(
      { ...successor, snapshot: { ...successor.snapshot, name } },
      { event: "container.create" },
    );
    store.forgetRemoved(id);
    expect(store.findRemoved(id)).toBeUndefined();
    expect(store.findExit(id, 1)).toBeUndefined();
  });

  test("the last sixteen exits of a container are remembered", () => {
    const record = newRecord();
    const { id } = record.snapshot;
    store.create(record, { event: "container.create" });
    for (let run = 1; run <= 20; run += 1) {
      store.update(id, { exitedRun: run, exitCode: run }, { event: "container.died" });
    }
    expect(store.findExit(id, 4)).toBeUndefined();
    expect(store.findExit(id, 5)).toMatchObject({ exitCode: 5 });
    expect(store.findExit(id, 20)).toMatchObject({ exitCode: 20 });
  });

  test("a refused operation stays refused", () => {
    const id = newOperationId();
    store.operations.refuse(id, 5);
    reopen();
    expect(store.operations.find(id)).toEqual({ status: "refused" });
    store.operations.prune(6);
    expect(store.operations.find(id)).toBeUndefined();
  });

  test("event numbers go on after a drop and a reopen", () => {
    const seen: number[] = [];
    const stop = store.outbox.onAppend(() => seen.push(store.outbox.lastSeq()));
    store.create(newRecord(), { event: "container.create" });
    store.create(newRecord(), { event: "container.create" });
    stop();
    expect(seen).toEqual([1, 2]);
    store.outbox.commit(2);
    expect(store.outbox.after(0, 10)).toEqual([]);
    store.create(newRecord(), { event: "container.create" });
    expect(seqs()).toEqual([3]);
    reopen();
    expect(store.outbox.lastSeq()).toBe(3);
    store.create(newRecord(), { event: "container.create" });
    expect(seqs()).toEqual([3, 4]);
  });

  test("what was dropped is on disk until the next event, and may be delivered again till then", () => {
    for (let count = 0; count < 3; count += 1) {
      store.create(newRecord(), { event: "container.create" });
    }
    store.outbox.commit(3);
    reopen();
    expect(seqs()).toEqual([1, 2, 3]);
    store.outbox.commit(2);
    store.create(newRecord(), { event: "container.create" });
    reopen();
    expect(seqs()).toEqual([3, 4]);
  });

  test("a commit that fails leaves nothing behind", () => {
    const record = newRecord();
    store.create(record, { event: "container.create" });
    const twin = newRecord();
    const create = () =>
      store.create(
        { ...twin, snapshot: { ...twin.snapshot, name: record.snapshot.name } },
        { event: "container.create" },
      );
    expect(create).toThrow("UNIQUE");
    expect(store.list()).toHaveLength(1);
    expect(store.outbox.lastSeq()).toBe(1);
    store.create(newRecord(), { event: "container.create" });
    expect(seqs()).toEqual([1, 2]);
  });

  test("a listener hears of its container's commits, and sees them", () => {
    const record = newRecord();
    store.create(record, { event: "container.create" });
    const states: string[] = [];
    const stop = store.onChange(record.snapshot.id, () =>
      states.push(store.get(record.snapshot.id).snapshot.state),
    );
    store.create(newRecord(), { event: "container.create" });
    store.update(record.snapshot.id, { state: "created" }, { event: "container.init" });
    stop();
    store.update(record.snapshot.id, { state: "running" }, { event: "container.start" });
    expect(states).toEqual(["created"]);
  });

  test("a second engine on the same file is refused", () => {
    expect(open).toThrow("another engine has it open");
  });
});
