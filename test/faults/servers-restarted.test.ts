/** SIGKILL of nats-server and of Postgres: the fleet recovers when they are back, and nothing acknowledged is lost. */
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { runContainer, runContainerOnce } from "../fleet/fleet-container.ts";
import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 2 });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

const command = ["sleep", "600"];

test("NATS killed: containers run on, calls fail clearly, exits of that time are reported afterwards", async () => {
  const { client, nats } = fleet;
  const { api } = client;
  const running = await runContainer(client, { command });
  const ending = await runContainer(client, { command: ["sh", "-c", "sleep 1; exit 4"] });
  await nats.kill();
  await expect(api.containers.stop.mutate({ container: running.id })).rejects.toMatchObject({
    code: expect.stringMatching(/^(HOST_UNREACHABLE|UNAVAILABLE)$/),
  });
  expect(await api.containers.list.query({})).not.toEqual([]);
  await nats.restart();
  await fleet.ready();
  expect(await client.wait({ container: ending.id })).toMatchObject({ exitCode: 4 });
  const inspected = await waitFor(
    async () => {
      const found = await api.containers.inspect.query({ container: running.id });
      return found.source === "agent" ? found : undefined;
    },
    { what: "the agent to answer", timeoutMs: 10_000 },
  );
  expect(inspected).toMatchObject({ pid: running.pid });
  await waitFor(
    async () => {
      const open = await api.operations.list.query({ status: "dispatched" });
      const pending = await api.operations.list.query({ status: "pending" });
      return open.length + pending.length === 0;
    },
    { what: "an outcome of every operation", timeoutMs: 20_000 },
  );
});

test("a wait that is open while NATS is killed gets the exit code", async () => {
  const { client, nats } = fleet;
  const { id } = await runContainer(client, { command: ["sh", "-c", "sleep 3; exit 6"] });
  const waiting = client.wait({ container: id }, { whenHostSilent: "retry" });
  await nats.kill();
  await nats.restart();
  expect(await waiting).toMatchObject({ run: 1, exitCode: 6 });
});

test("Postgres killed: what was acknowledged is there, and a script that retries goes on", async () => {
  const { client, postgres } = fleet;
  const before = await runContainer(client, { name: "before", command });
  await postgres.kill();
  // Hosts may look silent for a moment afterwards, because their heartbeats could not be recorded; that error is retryable.
  const during = waitFor(async () => runContainerOnce(client, { command }), {
    what: "a container in spite of the outage",
    timeoutMs: 60_000,
  });
  await postgres.restart();
  const { id } = await during;
  const listed = await waitFor(async () => client.api.containers.list.query({ all: true }), {
    what: "the list",
  });
  const ids = listed.map((container) => container.id);
  expect(ids).toContain(before.id);
  expect(ids).toContain(id);
  const found = listed.find((container) => container.id === id);
  expect(found).toMatchObject({ state: "running", run: 1 });
});
