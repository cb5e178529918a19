import { PodfleetError } from "@podfleet/model/errors";
import { hostSilenceMaxMs } from "@podfleet/model/host";
import { newOperationId } from "@podfleet/model/ids";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startTestServers, TestFleet, type TestServers } from "../test-fleet.ts";

let servers: TestServers;
beforeAll(async () => {
  servers = await startTestServers();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

const spec = { image: "busybox" };

describe("an operation takes effect once", () => {
  test("its result is in the records when it returns", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const created = await replica.mutate("containers", "create", {
      spec: { ...spec, name: "web" },
    });
    expect(created.container).toMatchObject({
      name: "web",
      state: "configured",
      image: "busybox",
      host: { name: "host-1", state: "ready" },
    });
    const container = created.container.id.slice(0, 12);
    const started = await replica.mutate("containers", "start", { container });
    expect(started.container.state).toBe("running");
    const listed = await replica.query("containers", "list", {});
    expect(listed).toEqual([{ ...started.container, observedAt: listed[0]?.observedAt }]);
    await replica.mutate("containers", "remove", { container: "web", force: true });
    expect(await replica.query("containers", "list", { all: true })).toEqual([]);
    expect(agent.host.performed).toHaveLength(3);
    const operations = await replica.query("operations", "list", {});
    expect(operations.map(({ verb, status, caller }) => [verb, status, caller])).toEqual([
      ["container.remove", "succeeded", "tester"],
      ["container.start", "succeeded", "tester"],
      ["container.create", "succeeded", "tester"],
    ]);
  });

  test("the same id and request returns the recorded outcome", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const operationId = newOperationId();
    const first = await replica.mutate("containers", "create", { operationId, spec });
    const again = await replica.mutate("containers", "create", { operationId, spec });
    expect(again.container.id).toBe(first.container.id);
    expect(again.operationId).toBe(operationId);
    const removal = { operationId: newOperationId(), container: first.container.name };
    await replica.mutate("containers", "remove", removal);
    const removedAgain = await replica.mutate("containers", "remove", removal);
    expect(removedAgain.container.id).toBe(first.container.id);
    expect(agent.host.performed).toEqual([operationId, removal.operationId]);
  });

  test("the same id and another request is CONFLICT", async () => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    const operationId = newOperationId();
    await replica.mutate("containers", "create", { operationId, spec });
    const other = { operationId, spec: { ...spec, name: "other" } };
    await expect(replica.mutate("containers", "create", other)).rejects.toMatchObject({
      code: "CONFLICT",
      details: { operationId, verb: "container.create" },
    });
  });

  test("duplicates at two replicas at once have one effect and one answer", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const other = await fleet.startReplica();
    const operationId = newOperationId();
    const results = await Promise.all(
      Array.from({ length: 10 }, async (_each, index) =>
        (index % 2 === 0 ? replica : other).mutate("containers", "create", { operationId, spec }),
      ),
    );
    expect(new Set(results.map(({ container }) => container.id)).size).toBe(1);
    expect(agent.host.performed).toEqual([operationId]);
    expect(await replica.query("containers", "list", { all: true })).toHaveLength(1);
  });

  test("a failure is recorded and returned again, and a failed creation frees the name", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    agent.host.failNext(new PodfleetError("STORAGE_FAILED", "The disk is full"));
    const request = { operationId: newOperationId(), spec: { ...spec, name: "web" } };
    for (const attempt of ["first", "again"]) {
      await expect(replica.mutate("containers", "create", request), attempt).rejects.toMatchObject({
        code: "STORAGE_FAILED",
        message: "The disk is full",
        details: { operationId: request.operationId },
      });
    }
    const retried = await replica.mutate("containers", "create", { spec: request.spec });
    expect(retried.container.name).toBe("web");
  });
});

describe("the host does not answer", () => {
  test("an operation that was never sent has failed, and is recorded so", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const { container } = await replica.mutate("containers", "create", { spec });
    await agent.kill();
    const operationId = newOperationId();
    const start = { operationId, container: container.id };
    for (const attempt of ["first", "again"]) {
      await expect(replica.mutate("containers", "start", start), attempt).rejects.toMatchObject({
        code: "HOST_UNREACHABLE",
        details: { host: "host-1", outcome: "not-delivered", operationId },
      });
    }
    const operation = await replica.query("operations", "get", { operationId });
    expect(operation).toMatchObject({ status: "failed", error: { code: "HOST_UNREACHABLE" } });
    await agent.start();
    expect(agent.host.performed).toHaveLength(1);
  });

  test("a host that falls silent under an operation is told at once, and settled when it is back", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const { container } = await replica.mutate("containers", "create", { spec });
    const release = agent.host.hold();
    agent.silence();
    const operationId = newOperationId();
    // The agent still hangs when the call is answered.
    await expect(
      replica.mutate("containers", "start", { operationId, container: container.id }),
    ).rejects.toMatchObject({
      code: "HOST_UNREACHABLE",
      details: { host: "host-1", outcome: "pending", operationId },
    });
    const pending = await replica.query("operations", "get", { operationId });
    expect(pending.status).toBe("dispatched");
    const [listed] = await replica.query("containers", "list", { all: true });
    expect(listed).toMatchObject({ state: "configured", host: { state: "unreachable" } });

    await agent.kill();
    release();
    await agent.start();
    await waitFor(
      async () => {
        const { status } = await replica.query("operations", "get", { operationId });
        return status === "succeeded";
      },
      { what: "the operation to be settled" },
    );
    expect(agent.host.performed.filter((id) => id === operationId)).toHaveLength(1);
  });

  test("an operation that the host has never seen is failed for good, and frees the name", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const other = await fleet.startAgent({ name: "host-2" });
    const operationId = newOperationId();
    const request = {
      operationId,
      spec: { ...spec, name: "web", placement: { host: "host-1" } },
    };
    const release = agent.host.hold();
    agent.silence();
    await expect(replica.mutate("containers", "create", request)).rejects.toMatchObject({
      details: { outcome: "pending" },
    });
    await expect(
      replica.mutate("containers", "create", { spec: { ...spec, name: "web" } }),
    ).rejects.toMatchObject({ code: "NAME_IN_USE" });
    agent.host.forget(operationId);
    await agent.kill();
    release();
    await agent.start();
    const failed = await waitFor(
      async () => {
        const operation = await replica.query("operations", "get", { operationId });
        return operation.status === "failed" ? operation : undefined;
      },
      { what: "the operation to be settled" },
    );
    expect(failed.error).toMatchObject({
      code: "HOST_UNREACHABLE",
      details: { outcome: "not-delivered" },
    });
    expect(agent.host.refused).toContain(operationId);
    const again = await replica.mutate("containers", "create", {
      spec: { ...spec, name: "web", placement: { host: "host-2" } },
    });
    expect(again.container.host.name).toBe("host-2");
    expect(other.host.performed).toHaveLength(1);
  });

  test("an operation that was given up while it was on its way has not been delivered", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const operationId = newOperationId();
    agent.host.settle(operationId);
    const request = { operationId, spec };
    for (const attempt of ["the first", "a repetition"]) {
      await expect(replica.mutate("containers", "create", request), attempt).rejects.toMatchObject({
        code: "HOST_UNREACHABLE",
        details: { outcome: "not-delivered", operationId },
      });
    }
    expect(await replica.query("operations", "get", { operationId })).toMatchObject({
      status: "failed",
    });
  });

  test("an agent that restarts under an operation is asked again", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const { container } = await replica.mutate("containers", "create", { spec });
    const release = agent.host.hold();
    const operationId = newOperationId();
    const starting = replica.mutate("containers", "start", {
      operationId,
      container: container.id,
    });
    await waitFor(() => agent.host.isBusy, { what: "the agent to have the operation" });
    await agent.kill();
    release();
    await agent.start();
    expect((await starting).container.state).toBe("running");
    expect(agent.host.performed.filter((id) => id === operationId)).toHaveLength(1);
  });

  test("the fleet stays in sight", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    await fleet.startAgent({ name: "host-2" });
    await replica.mutate("containers", "create", {
      spec: { ...spec, placement: { host: "host-1" } },
    });
    await agent.kill();
    const silent = await waitFor(
      async () => {
        const hosts = await replica.query("hosts", "list", undefined);
        return hosts[0]?.state === "unreachable" ? hosts : undefined;
      },
      { what: "the host to be unreachable", timeoutMs: 8_000 },
    );
    expect(silent.map(({ name, state }) => [name, state])).toEqual([
      ["host-1", "unreachable"],
      ["host-2", "ready"],
    ]);
    const [container] = await replica.query("containers", "list", { all: true });
    expect(Date.now() - Date.parse(container?.observedAt ?? "")).toBeGreaterThan(hostSilenceMaxMs);
    const inspected = await replica.query("containers", "inspect", {
      container: container?.id ?? "",
    });
    expect(inspected).toMatchObject({ source: "record", asOf: container?.observedAt });
    const placed = await replica.mutate("containers", "create", { spec });
    expect(placed.container.host.name).toBe("host-2");
    await expect(
      replica.mutate("containers", "create", { spec: { ...spec, placement: { host: "host-1" } } }),
    ).rejects.toMatchObject({ code: "HOST_UNREACHABLE" });
  });
});

describe("names and reservations", () => {
  test("a name is unique in the fleet", async () => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    const named = { spec: { ...spec, name: "web" } };
    const attempts = await Promise.allSettled(
      Array.from({ length: 5 }, async () => replica.mutate("containers", "create", named)),
    );
    const refused = attempts.filter(({ status }) => status === "rejected");
    expect(refused).toHaveLength(4);
    for (const attempt of refused) {
      expect(attempt).toMatchObject({ reason: { code: "NAME_IN_USE" } });
    }
  });

  test("two replicas never give the same CPU twice", async () => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    const other = await fleet.startReplica();
    const attempts = await Promise.allSettled(
      Array.from({ length: 20 }, async (_each, index) =>
        (index % 2 === 0 ? replica : other).mutate("containers", "create", {
          spec: { ...spec, resources: { cpus: 1 } },
        }),
      ),
    );
    const placed = attempts.filter(({ status }) => status === "fulfilled");
    expect(placed).toHaveLength(4);
    for (const attempt of attempts) {
      if (attempt.status === "fulfilled") continue;
      expect(attempt.reason).toMatchObject({
        code: "NO_HOST_FITS",
        message: "Cannot place the container: host-1: needs 1 CPUs, 0 of 4 are free",
      });
    }
    const host = await replica.query("hosts", "inspect", { host: "host-1" });
    expect(host.reserved.cpuMillis).toBe(4_000);
  });

  test("a container goes to the host of those it depends on", async () => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    await fleet.startAgent({ name: "host-2" });
    const placement = { host: "host-2" };
    const db = await replica.mutate("containers", "create", { spec: { ...spec, placement } });
    const dependencies = [db.container.id];
    const web = await replica.mutate("containers", "create", { spec: { ...spec, dependencies } });
    expect(web.container.host.name).toBe("host-2");
    await expect(
      replica.mutate("containers", "create", {
        spec: { ...spec, dependencies: ["ab".repeat(32)] },
      }),
    ).rejects.toMatchObject({ code: "CONTAINER_NOT_FOUND" });
  });

  test("an id prefix must fit one container only", async () => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    const names = Array.from({ length: 17 }, (_each, index) => `box-${index}`);
    await Promise.all(
      names.map(async (name) =>
        replica.mutate("containers", "create", { spec: { ...spec, name } }),
      ),
    );
    const containers = await replica.query("containers", "list", { all: true });
    const [digit] = containers
      .map(({ id }) => id.slice(0, 1))
      .filter((first, index, all) => all.indexOf(first) !== index);
    await expect(
      replica.query("containers", "inspect", { container: digit ?? "" }),
    ).rejects.toMatchObject({ code: "AMBIGUOUS_ID" });
    await expect(
      replica.query("containers", "inspect", { container: "nothing" }),
    ).rejects.toMatchObject({
      code: "CONTAINER_NOT_FOUND",
      message:
        'Cannot find container "nothing": no container of the fleet has that name, id or id prefix',
    });
  });
});
