import { createdExecs } from "@podfleet/db/schema";
import { PodfleetError } from "@podfleet/model/errors";
import { execIdSchema, newOperationId } from "@podfleet/model/ids";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startTestServers, TestFleet, type TestServers } from "../test-fleet.ts";

let servers: TestServers;
beforeAll(async () => {
  servers = await startTestServers();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

const spec = { command: ["sh"], tty: true };

async function startFleet() {
  const { fleet, replica, agent } = await TestFleet.start(servers);
  const replicas = [replica, await fleet.startReplica()] as const;
  const web = { image: "busybox", name: "web" };
  const { container } = await replica.mutate("containers", "create", { spec: web });
  await replica.mutate("containers", "start", { container: "web" });
  return { fleet, replica, replicas, agent, container };
}

test("one that was created is known by its id alone, and its host hears of it when it starts", async () => {
  const { fleet, replica, agent, container } = await startFleet();
  await using _ = fleet;
  const { exec } = await replica.mutate("exec", "create", { container: "web", spec });
  expect(exec).toMatchObject({ state: "created", containerId: container.id });
  expect(await replica.query("exec", "inspect", { exec: exec.id })).toEqual(exec);
  expect(agent.host.execs.size).toBe(0);
  await replica.mutate("exec", "resize", { exec: exec.id, height: 20, width: 90 });
  const started = await replica.mutate("exec", "startCreated", { exec: exec.id });
  expect(started.exec).toMatchObject({
    id: exec.id,
    state: "running",
    spec: { terminalSize: { height: 20, width: 90 } },
  });
  expect(await replica.query("exec", "inspect", { exec: exec.id })).toMatchObject({
    state: "running",
  });
});

test("O16: of many starts, on any replica, one takes effect; a repetition of that one is answered", async () => {
  const { fleet, replicas, agent } = await startFleet();
  await using _ = fleet;
  const [replica] = replicas;
  const { exec } = await replica.mutate("exec", "create", { container: "web", spec });
  const operations = [1, 2, 3, 4].map(() => newOperationId());
  const starts = await Promise.allSettled(
    operations.map(async (operationId, index) => {
      const on = replicas[index % 2] ?? replica;
      return await on.mutate("exec", "startCreated", { operationId, exec: exec.id });
    }),
  );
  const refusals = starts.flatMap((start) => (start.status === "rejected" ? [start.reason] : []));
  expect(refusals.map(({ code }) => code)).toEqual(["EXEC_IN_USE", "EXEC_IN_USE", "EXEC_IN_USE"]);
  const operationId = operations[starts.findIndex(({ status }) => status === "fulfilled")];
  const again = { operationId, exec: exec.id };
  expect((await replica.mutate("exec", "startCreated", again)).exec.id).toBe(exec.id);
  expect(agent.host.performed.filter((id) => operations.includes(id))).toEqual([operationId]);
});

test("a creation that is repeated creates one session, and only the same one", async () => {
  const { fleet, replica } = await startFleet();
  await using _ = fleet;
  const request = { operationId: newOperationId(), container: "web", spec };
  const [first, second] = await Promise.all([
    replica.mutate("exec", "create", request),
    replica.mutate("exec", "create", request),
  ]);
  expect(second).toEqual(first);
  const other = { ...request, spec: { command: ["ls"] } };
  await expect(replica.mutate("exec", "create", other)).rejects.toMatchObject({ code: "CONFLICT" });
});

test("one whose command could not be started has exited with its code", async () => {
  const { fleet, replica, agent } = await startFleet();
  await using _ = fleet;
  const { exec } = await replica.mutate("exec", "create", { container: "web", spec });
  agent.host.failNext(new PodfleetError("COMMAND_NOT_FOUND", "There is no sh"));
  await expect(replica.mutate("exec", "startCreated", { exec: exec.id })).rejects.toMatchObject({
    code: "COMMAND_NOT_FOUND",
  });
  expect(await replica.query("exec", "inspect", { exec: exec.id })).toMatchObject({
    state: "exited",
    exitCode: 127,
  });
});

test("one that was started in one step is found by its id alone too", async () => {
  const { fleet, replica } = await startFleet();
  await using _ = fleet;
  const { exec } = await replica.mutate("exec", "start", { container: "web", spec });
  expect(await replica.query("exec", "inspect", { exec: exec.id })).toMatchObject({ id: exec.id });
});

test("O6: a container that does not run has none; an unknown one is not found", async () => {
  const { fleet, replica } = await startFleet();
  await using _ = fleet;
  await replica.mutate("containers", "create", { spec: { image: "busybox", name: "idle" } });
  await expect(replica.mutate("exec", "create", { container: "idle", spec })).rejects.toMatchObject(
    { code: "CANNOT_INVOKE" },
  );
  const exec = execIdSchema.parse("0".repeat(64));
  for (const call of [
    async () => await replica.query("exec", "inspect", { exec }),
    async () => await replica.mutate("exec", "startCreated", { exec }),
    async () => await replica.mutate("exec", "resize", { exec, height: 1, width: 1 }),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: "EXEC_NOT_FOUND" });
  }
  expect(await fleet.database.select().from(createdExecs)).toEqual([]);
});
