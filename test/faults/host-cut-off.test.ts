/** A host whose link is down: the fleet reports it at once and works without it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { PodfleetError } from "@podfleet/model/errors";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { outputOf, runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, type FleetHost, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;
let cut: FleetHost;
let other: FleetHost;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 2 });
  [cut, other] = fleet.hosts as [FleetHost, FleetHost];
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

test("shows the host as unreachable and its containers' age, answers at once, and takes it back", async () => {
  const { api } = fleet.client;
  const command = ["sh", "-c", "sleep 4; echo done; exit 9"];
  const short = await runContainer(fleet.client, { command, placement: { host: cut.name } });
  const long = await runContainer(fleet.client, {
    command: ["sleep", "600"],
    placement: { host: cut.name },
  });
  const elsewhere = await runContainer(fleet.client, {
    command: ["sleep", "600"],
    placement: { host: other.name },
  });

  await cut.network.cut();
  // Sent while the control plane still believes in the host.
  const early = outcomeOf(api.containers.stop.mutate({ container: long.id, timeoutSeconds: 0 }));
  await waitFor(
    async () => (await api.hosts.inspect.query({ host: cut.name })).state === "unreachable",
    { what: "the host to be unreachable" },
  );

  // Not sent to the host, so the reply comes at once.
  await expect(api.containers.stop.mutate({ container: long.id })).rejects.toMatchObject({
    code: "HOST_UNREACHABLE",
    details: { outcome: "not-delivered" },
  });
  const listed = await api.containers.list.query({ all: true });
  const shown = listed.find(({ id }) => id === long.id);
  expect(shown?.host.state).toBe("unreachable");
  const ageMs = Date.now() - Date.parse(shown?.observedAt ?? "");
  expect(ageMs).toBeGreaterThan(3_000);

  const inspected = await api.containers.inspect.query({ container: long.id });
  expect(inspected).toMatchObject({ source: "record", state: "running" });
  const beside = await api.containers.inspect.query({ container: elsewhere.id });
  expect(beside.source).toBe("agent");

  await cut.network.join();
  await fleet.ready();
  expect(await fleet.client.wait({ container: short.id })).toMatchObject({ exitCode: 9 });
  expect(await outputOf(fleet.client, short.id)).toEqual({ stdout: "done\n", stderr: "" });
  await waitFor(
    async () => {
      const events = await api.events.list.query({ container: short.id });
      return events.some(({ type }) => type === "container.died");
    },
    { what: "the event of the exit" },
  );

  expect(["succeeded", "HOST_UNREACHABLE"]).toContain(await early);
  await waitFor(
    async () => {
      const operations = await api.operations.list.query({ host: cut.name });
      return operations.every(({ finishedAt }) => finishedAt !== undefined);
    },
    { what: "an outcome of every operation", timeoutMs: 20_000 },
  );
});

test("Q5: a host that is cut off restarts its containers alone; their events arrive later, in order", async () => {
  const { api } = fleet.client;
  const { id } = await runContainer(fleet.client, {
    command: ["sh", "-c", "echo ran; sleep 1; exit 1"],
    restartPolicy: { name: "on-failure", retriesMax: 2 },
    placement: { host: cut.name },
  });
  await cut.network.cut();
  const journal = join(cut.dataRoot, "journals", id);
  await waitFor(async () => (await readFile(journal, "utf8")).match(/ran/g)?.length === 2, {
    what: "the second run to begin",
  });
  await cut.network.join();
  await fleet.ready();
  await waitFor(
    async () => {
      const { run, state, restartAt } = await api.containers.inspect.query({ container: id });
      return run === 3 && state === "exited" && restartAt === undefined;
    },
    { what: "the third run to end", timeoutMs: 20_000 },
  );
  const starts = async (): Promise<string[]> => {
    const events = await api.events.list.query({ container: id });
    return events
      .toSorted((a, b) => a.position - b.position)
      .flatMap(({ type }) => (/start$|died$/.test(type) ? [type] : []));
  };
  const run = ["container.start", "container.died"];
  await waitFor(async () => (await starts()).length === 6, { what: "the events of three runs" });
  expect(await starts()).toEqual([run, run, run].flat());
});

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "succeeded";
  } catch (error) {
    return PodfleetError.from(error).code;
  }
}
