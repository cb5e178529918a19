import { PodfleetError } from "@podfleet/model/errors";
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
const gib = 1024 ** 3;

async function startFleet() {
  const { fleet, replica, agent } = await TestFleet.start(servers);
  const create = async (name: string, more = {}) =>
    await replica.mutate("containers", "create", { spec: { ...spec, name, ...more } });
  return { fleet, replica, agent, create };
}

describe("rename", () => {
  test("the container has its new name, and the old one is free", async () => {
    const { fleet, replica, create } = await startFleet();
    await using _ = fleet;
    await create("web");
    const renamed = await replica.mutate("containers", "rename", { container: "web", name: "www" });
    expect(renamed.container.name).toBe("www");
    const { container } = await create("web");
    const listed = await replica.query("containers", "list", { all: true });
    expect(listed.map(({ name }) => name).toSorted()).toEqual(["web", "www"]);
    const taken = { container: container.id, name: "www" };
    await expect(replica.mutate("containers", "rename", taken)).rejects.toMatchObject({
      code: "NAME_IN_USE",
    });
  });

  test("while it is under way both names are taken; when it fails the new one is free again", async () => {
    const { fleet, replica, agent, create } = await startFleet();
    await using _ = fleet;
    await create("web");
    agent.host.failNext(new PodfleetError("STORAGE_FAILED", "The disk is full"));
    const release = agent.host.hold();
    const rename = replica.mutate("containers", "rename", { container: "web", name: "www" });
    const failed = expect(rename).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await waitFor(
      async () => {
        const operations = await replica.query("operations", "list", {});
        return operations.some(({ verb }) => verb === "container.rename");
      },
      { what: "the rename to be recorded" },
    );
    for (const name of ["web", "www"]) {
      await expect(create(name)).rejects.toMatchObject({ code: "NAME_IN_USE" });
    }
    release();
    await failed;
    expect((await create("www")).container.name).toBe("www");
    const { name } = await replica
      .query("containers", "list", { all: true })
      .then((listed) => listed.find((each) => each.name === "web") ?? { name: undefined });
    expect(name).toBe("web");
  });

  test("of several renames to one name one wins", async () => {
    const { fleet, replica, create } = await startFleet();
    await using _ = fleet;
    const names = ["a", "b", "c", "d"];
    for (const name of names) await create(name);
    const results = await Promise.allSettled(
      names.map((container) => replica.mutate("containers", "rename", { container, name: "z" })),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

describe("update", () => {
  async function reservedOn(replica: Awaited<ReturnType<TestFleet["startReplica"]>>) {
    const [host] = await replica.query("hosts", "list", undefined);
    return host?.reserved;
  }

  test("the reservation and the spec follow", async () => {
    const { fleet, replica, create } = await startFleet();
    await using _ = fleet;
    await create("web", { resources: { cpus: 1 } });
    const resources = { cpus: 3, memoryBytes: gib };
    await replica.mutate("containers", "update", { container: "web", resources });
    expect(await reservedOn(replica)).toEqual({ cpuMillis: 3_000, memoryBytes: gib });
    const policy = { name: "always" } as const;
    await replica.mutate("containers", "update", { container: "web", restartPolicy: policy });
    const inspected = await replica.query("containers", "inspect", { container: "web" });
    expect(inspected.spec).toMatchObject({ name: "web", resources, restartPolicy: policy });
  });

  test("what the host has not free is refused, and nothing is reserved", async () => {
    const { fleet, replica, agent, create } = await startFleet();
    await using _ = fleet;
    await create("web", { resources: { cpus: 2 } });
    await create("job", { resources: { cpus: 1 } });
    const performed = agent.host.performed.length;
    const greedy = { container: "web", resources: { cpus: 3.5 } };
    await expect(replica.mutate("containers", "update", greedy)).rejects.toMatchObject({
      code: "NO_HOST_FITS",
      message: 'Cannot update container "web": host-1: needs 1.5 CPUs, 1 of 4 are free',
    });
    expect(agent.host.performed).toHaveLength(performed);
    expect(await reservedOn(replica)).toMatchObject({ cpuMillis: 3_000 });
    await replica.mutate("containers", "update", { ...greedy, resources: { cpus: 3 } });
    expect(await reservedOn(replica)).toMatchObject({ cpuMillis: 4_000 });
  });

  test("what a failed update had claimed is free again", async () => {
    const { fleet, replica, agent, create } = await startFleet();
    await using _ = fleet;
    await create("web", { resources: { cpus: 1 } });
    agent.host.failNext(new PodfleetError("RUNTIME_FAILED", "The kernel refuses"));
    const update = { container: "web", resources: { cpus: 4 } };
    await expect(replica.mutate("containers", "update", update)).rejects.toMatchObject({
      code: "RUNTIME_FAILED",
    });
    expect(await reservedOn(replica)).toMatchObject({ cpuMillis: 1_000 });
  });

  test("O73: a container that is removed when its run ends takes no restart policy", async () => {
    const { fleet, replica, create } = await startFleet();
    await using _ = fleet;
    const restartPolicy = { name: "always" } as const;
    await expect(create("web", { autoRemove: true, restartPolicy })).rejects.toMatchObject({
      code: "INVALID_INPUT",
    });
    await create("web", { autoRemove: true });
    const update = { container: "web", restartPolicy };
    await expect(replica.mutate("containers", "update", update)).rejects.toMatchObject({
      code: "INVALID_INPUT",
    });
  });

  test("an update of nothing is refused", async () => {
    const { fleet, replica, create } = await startFleet();
    await using _ = fleet;
    await create("web");
    const update = replica.mutate("containers", "update", { container: "web" });
    await expect(update).rejects.toMatchObject({ code: "INVALID_INPUT" });
  });
});

describe("batch", () => {
  test("the results of the steps come back, and names and specs follow", async () => {
    const { fleet, replica, create } = await startFleet();
    await using _ = fleet;
    await create("web");
    const result = await replica.mutate("containers", "batch", {
      container: "web",
      steps: [
        { verb: "container.rename", name: "www" },
        { verb: "container.update", resources: { memoryBytes: gib } },
      ],
    });
    expect(result.steps?.map(({ verb, status }) => [verb, status])).toEqual([
      ["container.rename", "succeeded"],
      ["container.update", "succeeded"],
    ]);
    expect(result.container.name).toBe("www");
    const [host] = await replica.query("hosts", "list", undefined);
    expect(host?.reserved.memoryBytes).toBe(gib);
  });

  test("B4: a removal is refused before anything runs, and the refusal names the step", async () => {
    const { fleet, replica, agent, create } = await startFleet();
    await using _ = fleet;
    await create("web");
    const performed = agent.host.performed.length;
    const steps = [{ verb: "container.start" }, { verb: "container.remove" }];
    const batch = replica.mutate("containers", "batch", { container: "web", steps } as never);
    await expect(batch).rejects.toMatchObject({
      code: "INVALID_INPUT",
      message: expect.stringContaining('steps[1].verb is "container.remove"') as string,
    });
    expect(agent.host.performed).toHaveLength(performed);
  });
});
