/** SIGKILL of every agent: containers run on, and the restarted agents find them again. The bench measures how soon. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { outputOf, runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, type FleetHost, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet();
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

/** Writes a number every 20 ms, and the last one again; its output has a gap when any of it was lost. */
const counter = shell(
  "i=0; until [ -e /end ]; do i=$((i+1)); echo $i; usleep 20000; done; echo $i; exit 3",
);

test("O77: running containers keep their pids and lose no output; those that ended meanwhile are found so", async () => {
  const { client, hosts } = fleet;
  const counters = await Promise.all(
    hosts.map(async ({ name }) =>
      runContainer(client, { command: counter, placement: { host: name } }),
    ),
  );
  const command = shell("until [ -e /end ]; do usleep 20000; done; exit 5");
  const [host] = hosts as [FleetHost];
  const short = await runContainer(client, { command, placement: { host: host.name } });

  await Promise.all(hosts.map(async ({ agent }) => await agent.end("SIGKILL")));
  await writeFile(join(host.dataRoot, "containers", short.id, "rootfs/end"), "");
  await waitFor(() => !isAlive(short.pid), { what: "the short container to end on its own" });
  for (const { pid } of counters) expect(isAlive(pid)).toBe(true);

  for (const { agent } of hosts) agent.start();
  for (const { id, pid } of counters) {
    const inspected = await waitFor(
      async () => {
        const found = await client.api.containers.inspect.query({ container: id });
        return found.source === "agent" ? found : undefined;
      },
      { what: "the agent to answer", timeoutMs: 15_000 },
    );
    expect(inspected).toMatchObject({ state: "running", pid });
  }

  expect(await client.wait({ container: short.id })).toMatchObject({ exitCode: 5 });
  for (const { id: container } of counters) {
    await (await client.exec({ container, spec: { command: ["touch", "/end"] } })).wait();
    expect(await client.wait({ container })).toMatchObject({ run: 1, exitCode: 3 });
    const { stdout, stderr } = await outputOf(client, container);
    const numbers = stdout.trimEnd().split("\n").map(Number);
    const last = numbers.pop() ?? 0;
    expect(numbers).toEqual(Array.from({ length: last }, (_, index) => index + 1));
    expect(stderr).toBe("");
  }
});

test("an operation under way when its agent is killed gets a definite outcome", async () => {
  const { client, hosts } = fleet;
  const [host] = hosts;
  if (!host) throw new Error("The fleet has no host");
  const spec = {
    image: "busybox",
    // Ignores SIGTERM, so that the stop is under way for as long as its timeout.
    command: shell("trap '' TERM; while :; do sleep 1; done"),
    placement: { host: host.name },
  };
  const { container } = await client.api.containers.create.mutate({ spec });
  await client.api.containers.start.mutate({ container: container.id });
  const stopping = client.api.containers.stop
    .mutate({ container: container.id, timeoutSeconds: 3 })
    .then(
      () => "succeeded",
      (error: unknown) => error,
    );
  const operation = await waitFor(
    async () => {
      const all = await client.api.operations.list.query({ container: container.id });
      return all.find(({ verb, status }) => verb === "container.stop" && status === "dispatched");
    },
    { what: "the stop to be dispatched" },
  );
  await host.agent.end("SIGKILL");
  host.agent.start();
  await stopping;
  const settled = await waitFor(
    async () => {
      const record = await client.api.operations.get.query({ operationId: operation.id });
      return record.finishedAt === undefined ? undefined : record;
    },
    { what: "an outcome of the stop", timeoutMs: 20_000 },
  );
  expect(settled.status).toBe("succeeded");
  const inspected = await client.api.containers.inspect.query({ container: container.id });
  expect(inspected.state).toBe("exited");
});

function shell(script: string): string[] {
  return ["sh", "-c", script];
}

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(pid, 0);
  } catch {
    // Safe to ignore: there is no such process.
    return false;
  }
}
