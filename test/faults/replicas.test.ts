/** Two replicas of the control plane share the work and take nothing twice. */
import { hasCode } from "@podfleet/model/errors";
import { newOperationId } from "@podfleet/model/ids";
import { afterAll, beforeAll, expect, test } from "vitest";

import { removeContainers, runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 2, replicas: 2 });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

const command = ["sleep", "600"];

test("reservations are not taken twice", async () => {
  const clients = fleet.replicas.map(fleet.clientOf);
  const hosts = await fleet.client.api.hosts.list.query();
  const cpus = 1;
  const room = hosts.reduce((sum, { capacity }) => sum + Math.floor(capacity.cpuMillis / 1000), 0);
  const asked = room + 6;
  const outcomes = await Promise.all(
    Array.from({ length: asked }, async (_, index) => {
      const { api } = clients[index % clients.length] ?? fleet.client;
      try {
        const spec = { image: "busybox", command, resources: { cpus } };
        return (await api.containers.create.mutate({ spec })).container.host.name;
      } catch (error) {
        if (hasCode(error, "NO_HOST_FITS")) return undefined;
        throw error;
      }
    }),
  );
  expect(outcomes.filter((name) => name !== undefined)).toHaveLength(room);
  for (const { reserved, capacity } of await fleet.client.api.hosts.list.query()) {
    expect(reserved.cpuMillis).toBe(capacity.cpuMillis);
  }
  await removeContainers(fleet.client);
  for (const { reserved } of await fleet.client.api.hosts.list.query()) {
    expect(reserved).toEqual({ cpuMillis: 0, memoryBytes: 0 });
  }
});

test("a name is given once", async () => {
  const clients = fleet.replicas.map(fleet.clientOf);
  const outcomes = await Promise.allSettled(
    clients.map(async ({ api }) =>
      api.containers.create.mutate({ spec: { image: "busybox", name: "only", command } }),
    ),
  );
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  const refused = outcomes.find((outcome) => outcome.status === "rejected");
  expect(refused?.reason).toMatchObject({ code: "NAME_IN_USE" });
});

test("an operation retried through the other replica returns the recorded outcome", async () => {
  const [left, right] = fleet.replicas.map(fleet.clientOf);
  if (!left || !right) throw new Error("The fleet has too few replicas");
  const operationId = newOperationId();
  const spec = { image: "busybox", command };
  const created = await left.api.containers.create.mutate({ operationId, spec });
  const again = await right.api.containers.create.mutate({ operationId, spec });
  expect(again.container.id).toBe(created.container.id);

  const container = created.container.id;
  const startId = newOperationId();
  const both = await Promise.all(
    [left, right, left, right].map(async ({ api }) =>
      api.containers.start.mutate({ operationId: startId, container }),
    ),
  );
  for (const started of both) expect(started.container).toMatchObject({ run: 1, state: "running" });
  const other = right.api.containers.stop.mutate({ operationId: startId, container });
  await expect(other).rejects.toMatchObject({ code: "CONFLICT" });
});

test("a call that is open when its replica is killed goes on through the other", async () => {
  const [first, second] = fleet.replicas;
  if (!first || !second) throw new Error("The fleet has too few replicas");
  const through = fleet.clientOf(second);
  const { id } = await runContainer(through, { command: ["sh", "-c", "sleep 2; exit 8"] });
  const waiting = through.wait({ container: id });
  await first.process.end("SIGKILL");
  expect(await waiting).toMatchObject({ exitCode: 8 });
  const after = await runContainer(through, { command });
  expect(after.state).toBe("running");
  await first.start();
});
