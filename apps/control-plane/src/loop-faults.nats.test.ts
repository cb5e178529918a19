/** Every loop of the control plane, with what may go wrong in it: it goes on, and nothing else stops. */
import type { LoopStatus } from "@podfleet/base/loop";
import { PodfleetError } from "@podfleet/model/errors";
import type { OperationId } from "@podfleet/model/ids";
import { eventually, waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type Replica, startTestServers, TestFleet, type TestServers } from "./test-fleet.ts";

let servers: TestServers;
beforeAll(async () => {
  servers = await startTestServers();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

async function statusOf(replica: Replica, name: string): Promise<LoopStatus> {
  const { controlPlane } = await replica.query("system", "loops", undefined);
  const status = controlPlane.find((loop) => loop.name === name);
  if (!status) throw new Error(`No loop is called "${name}"`);
  return status as LoopStatus;
}

async function healthOf(replica: Replica, name: string): Promise<LoopStatus | undefined> {
  const response = await replica.fetch("/healthz");
  const { loops } = (await response.json()) as { loops: LoopStatus[] };
  return loops.find((loop) => loop.name === name);
}

async function failing(replica: Replica, name: string): Promise<LoopStatus> {
  const what = `a failure of ${name}`;
  return await waitFor(
    async () => {
      const status = await healthOf(replica, name);
      return status && status.failures > 0 ? status : undefined;
    },
    { what },
  );
}

describe("a rejected query", () => {
  test.each([
    ["settle", "operations"],
    ["heartbeats", "hosts"],
    ["host-watch", "hosts"],
  ])("%s goes on after the table %s was gone", async (name, table) => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const { waited } = await waitForContainer(replica);
    await waitFor(() => agent.host.waits > 0, { what: "the wait to reach the host" });
    await fleet.database.execute(`alter table ${table} rename to gone`);
    await failing(replica, name);
    await fleet.database.execute(`alter table gone rename to ${table}`);
    await eventually(async () => expect((await healthOf(replica, name))?.failures).toBe(0));
    const { lastError } = await statusOf(replica, name);
    expect(lastError?.message).toContain("Failed query");
    await replica.mutate("containers", "remove", { container: "web", force: true });
    await waited;
  });

  test.each([
    ["prune", "spans"],
    ["ping-hosts", "hosts"],
  ])("%s goes on in a replica that starts while the table %s is gone", async (name, table) => {
    await using fleet = await TestFleet.create(servers);
    await fleet.database.execute(`alter table ${table} rename to gone`);
    const replica = await fleet.startReplica();
    await failing(replica, name);
    await fleet.database.execute(`alter table gone rename to ${table}`);
    await eventually(async () => expect((await healthOf(replica, name))?.failures).toBe(0));
  });

  test("change-feed goes on after its connection was ended", async () => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    const { runs } = await statusOf(replica, "change-feed");
    await fleet.database.execute(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'podfleet control-plane events' and datname = current_database()`,
    );
    const what = "a new connection";
    await waitFor(async () => (await statusOf(replica, "change-feed")).runs > runs, { what });
    await eventually(async () =>
      expect((await healthOf(replica, "change-feed"))?.failures).toBe(0),
    );
  });
});

describe("an unexpected reply", () => {
  const refusal = new PodfleetError("INTERNAL", "Unexpected failure: out of memory");

  test("ping-hosts: a replica starts, and the other hosts are ready", async () => {
    await using fleet = await TestFleet.create(servers);
    const first = await fleet.startReplica();
    const agents = [];
    for (const name of ["host-1", "host-2"]) agents.push(await fleet.startAgent({ name }));
    await first[Symbol.asyncDispose]();
    for (const agent of agents) agent.silence();
    await fleet.database.execute("update hosts set last_seen_at = now() - interval '1 hour'");
    const [broken] = agents;
    if (broken) broken.refusal = refusal;
    const replica = await fleet.startReplica();
    const hosts = await replica.query("hosts", "list", undefined);
    expect(hosts.map(({ name, state }) => [name, state])).toEqual([
      ["host-1", "unreachable"],
      ["host-2", "ready"],
    ]);
    const { failures } = await failing(replica, "ping-hosts");
    expect(failures).toBeGreaterThan(0);
    const { lastError } = await statusOf(replica, "ping-hosts");
    expect(lastError?.message).toBe('Host "host-1" answered a ping with an error');
    if (broken) broken.refusal = undefined;
    await eventually(async () => expect((await healthOf(replica, "ping-hosts"))?.failures).toBe(0));
  });

  test("settle: the other hosts' operations are settled", async () => {
    const { fleet, replica, agent: broken } = await TestFleet.start(servers);
    await using _ = fleet;
    await fleet.startAgent({ name: "host-2" });
    const ids: OperationId[] = [];
    for (const host of ["host-1", "host-2"]) {
      const spec = { image: "busybox", placement: { host } };
      ids.push((await replica.mutate("containers", "create", { spec })).operationId);
    }
    broken.refusal = refusal;
    const lose = `update operations set status = 'dispatched', outcome = null, finished_at = null,
      driven_until = now() - interval '1 minute'`;
    await fleet.database.execute(lose);
    await failing(replica, "settle");
    const statuses = async () =>
      await Promise.all(
        ids.map(async (operationId) => {
          return (await replica.query("operations", "get", { operationId })).status;
        }),
      );
    await waitFor(async () => (await statuses())[1] === "succeeded", { what: "the second" });
    expect(await statuses()).toEqual(["dispatched", "succeeded"]);
    broken.refusal = undefined;
    await fleet.database.execute(
      "update operations set driven_until = now() - interval '1 minute'",
    );
    await waitFor(async () => (await statuses())[0] === "succeeded", { what: "the first" });
    await eventually(async () => expect((await healthOf(replica, "settle"))?.failures).toBe(0));
  });
});

/** Has somebody wait for the exit of a container, so that its host is watched. */
async function waitForContainer(replica: Replica) {
  const spec = { name: "web", image: "busybox" };
  await replica.mutate("containers", "create", { spec });
  await replica.mutate("containers", "start", { container: "web" });
  const wait = replica.mutate("containers", "wait", { container: "web" });
  return { waited: Promise.allSettled([wait]) };
}
