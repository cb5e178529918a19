/**
 * A container's life through the whole system on one host, against conmon and runc alone and against podman's API service, in
 * turns within one run; the list of 1,000 containers; with 100 running containers, the agent's memory, and the time from its start
 * after a kill -9 until it answers for them.
 */
import { readFile } from "node:fs/promises";

import { SimulatedAgent } from "@podfleet/simulator/simulated-agent";
import { waitFor } from "@podfleet/testkit/wait-for";

import { removeContainers, runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, type FleetHost, startFleet } from "../fleet/fleet.ts";
import { type Contender, takeTurn } from "./contender.ts";
import { openContenders } from "./contenders.ts";
import { judge, Samples } from "./measure.ts";

const rounds = 40;
const warmUpRounds = 3;
const listed = 1_000;
const listRounds = 50;
const running = 100;
const atOnce = 8;

async function main(): Promise<void> {
  await using fleet = await startFleet({ hosts: 1 });
  const [host] = fleet.hosts;
  if (!host) throw new Error("The fleet has no host");
  const { floor, podfleet, podman } = await measureLifecycle(fleet, host);
  const agent = await measureLoadedAgent(fleet, host);
  const list = await measureList(fleet);
  console.log(
    `list of ${listed} containers: p50 ${list.p50.toFixed(1)} ms, p95 ${list.p95.toFixed(1)} ms`,
  );
  const overFloor = podfleet.createAndStart.p50 / floor.createAndStart.p50;
  judge([
    { what: "create + start over the floor", value: overFloor, atMost: 1.3, unit: " x" },
    ...(podman
      ? [
          {
            what: "create + start over podman",
            value: podfleet.createAndStart.p50 / podman.createAndStart.p50,
            atMost: 0.8,
            unit: " x",
          },
        ]
      : []),
    { what: `list of ${listed} containers, p50`, value: list.p50, atMost: 20, unit: " ms" },
    {
      what: `memory of an agent with ${running} containers`,
      value: agent.megabytes,
      atMost: 150,
      unit: " MB",
    },
    {
      what: `agent with ${running} containers back after kill -9`,
      value: agent.backMs,
      atMost: 2_000,
      unit: " ms",
    },
  ]);
}

interface Lifecycle {
  readonly name: string;
  readonly createAndStart: Samples;
  readonly stop: Samples;
  readonly remove: Samples;
}

async function measureLifecycle(
  fleet: Fleet,
  host: FleetHost,
): Promise<{ floor: Lifecycle; podfleet: Lifecycle; podman: Lifecycle | undefined }> {
  await using contenders = await openContenders(fleet, host);
  const { floor: bare, podfleet: ours, podman: theirs } = contenders;
  const own = [bare, ours, ...(theirs ? [theirs] : [])];

  for (let round = 0; round < warmUpRounds; round += 1) {
    for (const contender of own) await liveOnce(contender, emptyLifecycle(contender));
  }
  const lives = own.map(emptyLifecycle);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, contender] of own.entries()) {
      const life = lives[index];
      if (life) await liveOnce(contender, life);
    }
  }
  const [floor, podfleet, podmans] = lives;
  if (!floor || !podfleet) throw new Error("Nothing was measured");
  printLifecycles(lives, floor);
  return { floor, podfleet, podman: podmans };
}

function emptyLifecycle({ name }: Contender): Lifecycle {
  return { name, createAndStart: new Samples(), stop: new Samples(), remove: new Samples() };
}

async function liveOnce(contender: Contender, life: Lifecycle): Promise<void> {
  await takeTurn();
  const id = await life.createAndStart.time(async () => await contender.createAndStart());
  await life.stop.time(async () => await contender.stop(id));
  await life.remove.time(async () => await contender.remove(id));
}

function printLifecycles(lives: readonly Lifecycle[], floor: Lifecycle): void {
  const cell = (samples: Samples, base: Samples): string =>
    `${samples.p50.toFixed(1)} / ${samples.p95.toFixed(1)} (${(samples.p50 / base.p50).toFixed(2)} x)`;
  console.log(`p50 / p95 in ms of ${rounds} rounds, and p50 over the floor's`);
  console.table(
    Object.fromEntries(
      lives.map((life) => [
        life.name,
        {
          "create + start": cell(life.createAndStart, floor.createAndStart),
          stop: cell(life.stop, floor.stop),
          remove: cell(life.remove, floor.remove),
        },
      ]),
    ),
  );
}

interface LoadedAgent {
  /** Resident memory, in MB (10^6 bytes). */
  readonly megabytes: number;
  /** The time from its start after a SIGKILL until it answers for the container that was started last. */
  readonly backMs: number;
}

async function measureLoadedAgent({ client }: Fleet, host: FleetHost): Promise<LoadedAgent> {
  const placement = { host: host.name };
  let last = "";
  await inGroups(running, async () => {
    const { id } = await runContainer(client, { command: ["sleep", "3600"], placement });
    last = id;
  });
  const status = await readFile(`/proc/${host.agent.pid}/status`, "utf8");
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  await host.agent.end("SIGKILL");
  const back = new Samples();
  await back.time(async () => {
    host.agent.start();
    await waitFor(
      async () => {
        const { source } = await client.api.containers.inspect.query({ container: last });
        return source === "agent";
      },
      { what: "the agent to answer", timeoutMs: 30_000 },
    );
  });
  await removeContainers(client);
  return { megabytes: (Number(kibibytes) * 1024) / 1e6, backMs: back.p50 };
}

/** Measures the list of 1,000 containers, created through the API on a simulated host. */
async function measureList({ client, nats }: Fleet): Promise<Samples> {
  await using _agent = await SimulatedAgent.start({ nats, host: { name: "simulated" } });
  const samples = new Samples();
  const placement = { host: "simulated" };
  await inGroups(listed, async () => {
    await client.api.containers.create.mutate({ spec: { image: "busybox", placement } });
  });
  for (let round = 0; round < listRounds; round += 1) {
    const found = await samples.time(async () => client.api.containers.list.query({ all: true }));
    if (found.length !== listed) throw new Error(`The list has ${found.length} containers`);
  }
  return samples;
}

/** Calls `step` `count` times, a few at once. */
async function inGroups(count: number, step: () => Promise<void>): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await step();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

await main();
