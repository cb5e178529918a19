import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import { newContainerId, newOperationId } from "@podfleet/model/ids";
import { afterAll, beforeAll, expect, test } from "vitest";

import { createVerb, EngineUnderTest, failureOf } from "../test-engine.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const remove = { verb: "container.remove", force: false, dependents: false } as const;

test("X1: a running container is removed by force only", async () => {
  const id = await under.create();
  await under.start(id);
  const failure = failureOf(await under.perform(id, remove));
  expect(failure.code).toBe("STATE_INVALID");
  expect(failure.message).toContain("force");
  const last = await under.do(id, { ...remove, force: true });
  expect(last).toMatchObject({ state: "removing", exitCode: 137 });
  expect(under.engine.containers().some((container) => container.id === id)).toBe(false);
  expect(under.events(id).map(({ type }) => type)).toEqual([
    "container.create",
    "container.init",
    "container.start",
    "operation.finished",
    "container.died",
    "container.cleanup",
    "container.remove",
  ]);
  expect(existsSync(join(under.options.dataRoot, "containers", id))).toBe(false);
  expect(existsSync(join(under.options.runRoot, "bundles", id))).toBe(false);
});

test("a removed container's name can be used again, its id cannot", async () => {
  const id = await under.create({ name: "again" });
  await under.do(id, remove);
  await under.create({ name: "again" });
  const outcome = await under.perform(id, createVerb(id, { name: "other" }));
  expect(failureOf(outcome).code).toBe("INVALID_INPUT");
});

test("O137: one whose bind's source is gone is removed", async () => {
  const source = await mkdtemp(join(tmpdir(), "podfleet-bind-"));
  const mounts: ContainerSpecInput["mounts"] = [{ type: "bind", source, destination: "/data" }];
  const id = await under.run("exit 0", { mounts });
  await under.exited(id);
  await rm(source, { recursive: true });
  await under.do(id, remove);
  expect(under.engine.containers().some((container) => container.id === id)).toBe(false);
});

test("X2: one that others depend on is removed with them only, they first", async () => {
  const a = await under.create({ name: "base" });
  const b = await under.create({ name: "upper", dependencies: [a] });
  const c = await under.create({ name: "top", dependencies: [b] });
  const failure = failureOf(await under.perform(a, remove));
  expect(failure.code).toBe("DEPENDENCY_IN_USE");
  expect(failure.message).toContain('"upper"');
  expect(under.snapshot(a).state).toBe("configured");
  await under.do(a, { ...remove, dependents: true });
  const order = under.engine.outbox
    .after(0, 10_000)
    .filter(({ type }) => type === "container.remove")
    .map(({ containerId }) => containerId)
    .slice(-3);
  expect(order).toEqual([c, b, a]);
});

test("of two removals at once one finds nothing", async () => {
  const id = await under.create();
  const outcomes = await Promise.all([under.perform(id, remove), under.perform(id, remove)]);
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["failed", "succeeded"]);
});

test("a repeated removal gets the outcome of the first", async () => {
  const id = await under.create();
  const request = { operationId: newOperationId(), action: { ...remove, containerId: id } };
  const first = await under.engine.perform(request);
  expect(first.status).toBe("succeeded");
  expect(await under.engine.perform(request)).toEqual(first);
  const unknown = await under.perform(newContainerId(), remove);
  expect(failureOf(unknown).code).toBe("CONTAINER_NOT_FOUND");
});
