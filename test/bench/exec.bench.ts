/**
 * A command in a running container through the whole system, against conmon and runc alone and against podman's API service, in turns
 * within one run; a batch of ten steps against ten calls; and how soon a wait wakes once the exit is on file, at the host's engine and
 * through the API.
 */
import { existsSync, watch } from "node:fs";
import { join } from "node:path";

import { EngineUnderTest } from "@podfleet/engine/test-engine";

import { runContainer } from "../fleet/fleet-container.ts";
import { type Fleet, type FleetHost, startFleet } from "../fleet/fleet.ts";
import { takeTurn } from "./contender.ts";
import { openContenders } from "./contenders.ts";
import { judge, Samples } from "./measure.ts";

const execRounds = 100;
const warmUpRounds = 10;
const batchRounds = 30;
const waitRounds = 200;
const waitMsMax = 30_000;

async function main(): Promise<void> {
  await using fleet = await startFleet({ hosts: 1 });
  const [host] = fleet.hosts;
  if (!host) throw new Error("The fleet has no host");
  const { floor, podfleet, podman } = await measureExec(fleet, host);
  const { batch, calls } = await measureBatch(fleet);
  const { engine, api } = await measureWait(fleet, host);
  judge([
    { what: "exec over the floor", value: podfleet.p50 / floor.p50, atMost: 1.25, unit: " x" },
    ...(podman
      ? [{ what: "exec over podman", value: podfleet.p50 / podman.p50, atMost: 0.5, unit: " x" }]
      : []),
    {
      what: "batch of 10 steps over 10 calls",
      value: batch.p50 / calls.p50,
      atMost: 0.25,
      unit: " x",
    },
    {
      what: "wait at the host's engine after the exit file, p99",
      value: engine.p99,
      atMost: 5,
      unit: " ms",
    },
    {
      what: "wait through the API after the exit file, p50",
      value: api.p50,
      atMost: 5,
      unit: " ms",
    },
  ]);
}

async function measureExec(fleet: Fleet, host: FleetHost) {
  await using contenders = await openContenders(fleet, host);
  const { floor, podfleet, podman } = contenders;
  const measured = await Promise.all(
    [floor, podfleet, ...(podman ? [podman] : [])].map(async (contender) => {
      return { contender, id: await contender.createAndStart(), samples: new Samples() };
    }),
  );
  for (let round = -warmUpRounds; round < execRounds; round += 1) {
    for (const { contender, id, samples } of measured) {
      const step = async (): Promise<void> => await contender.exec(id, ["true"]);
      await takeTurn();
      await (round < 0 ? step() : samples.time(step));
    }
  }
  for (const { contender, id } of measured) {
    await contender.stop(id);
    await contender.remove(id);
  }
  const [first, second, third] = measured.map(({ samples }) => samples);
  if (!first || !second) throw new Error("Nothing was measured");
  console.log(`exec of true, p50 / p95 in ms of ${execRounds} rounds`);
  console.table(
    Object.fromEntries(
      measured.map(({ contender, samples }) => [contender.name, describe(samples, first)]),
    ),
  );
  return { floor: first, podfleet: second, podman: third };
}

function describe(samples: Samples, floor: Samples) {
  const ratio = (samples.p50 / floor.p50).toFixed(2);
  return { exec: `${samples.p50.toFixed(1)} / ${samples.p95.toFixed(1)} (${ratio} x)` };
}

/** Steps that do not call the runtime, which takes the same time in a batch and in single calls. */
const pair = ["container.mount", "container.unmount"] as const;
const steps = Array.from({ length: 5 }, () => pair).flat();

async function measureBatch({ client }: Fleet): Promise<{ batch: Samples; calls: Samples }> {
  const { containers } = client.api;
  const { id: container } = await runContainer(client, { command: ["sleep", "3600"] });
  // While a container runs, its users' last mount stays.
  await containers.mount.mutate({ container });
  const batch = new Samples();
  const calls = new Samples();
  for (let round = 0; round < batchRounds; round += 1) {
    await takeTurn();
    await batch.time(async () => {
      await containers.batch.mutate({
        container,
        steps: steps.map((verb) =>
          verb === "container.mount" ? { verb } : { verb, force: false },
        ),
      });
    });
    await takeTurn();
    await calls.time(async () => {
      for (const verb of steps) {
        if (verb === "container.mount") await containers.mount.mutate({ container });
        else await containers.unmount.mutate({ container });
      }
    });
  }
  await containers.remove.mutate({ container, force: true });
  console.log(
    `10 steps, p50 in ms of ${batchRounds} rounds: a batch ${batch.p50.toFixed(1)}, as calls ${calls.p50.toFixed(1)}`,
  );
  return { batch, calls };
}

/** The time from the notice of the exit file to the reply of an open wait. */
async function measureWait(
  fleet: Fleet,
  host: FleetHost,
): Promise<{ engine: Samples; api: Samples }> {
  const waits = { engine: await measureEngineWait(), api: await measureApiWait(fleet, host) };
  for (const [name, { p50, p99 }] of Object.entries(waits)) {
    console.log(
      `wait (${name}) after the exit file: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
    );
  }
  return waits;
}

async function measureEngineWait(): Promise<Samples> {
  await using under = await EngineUnderTest.open();
  const wakes = new Samples();
  for (let round = 0; round < waitRounds; round += 1) {
    const id = await under.create({ command: ["sleep", "3600"] });
    const { pid } = await under.start(id);
    const ended = under.engine.wait({
      containerId: id,
      condition: "stopped",
      timeoutMs: waitMsMax,
    });
    const onFile = exitFile(join(under.options.runRoot, "exits"), id);
    end(pid);
    await onFile;
    await wakes.time(async () => await ended);
    await under.remove(id);
    await takeTurn();
  }
  return wakes;
}

async function measureApiWait({ client }: Fleet, host: FleetHost): Promise<Samples> {
  const wakes = new Samples();
  for (let round = 0; round < waitRounds; round += 1) {
    const { id, pid } = await runContainer(client, { command: ["sleep", "3600"] });
    const ended = client.wait({ container: id });
    // The run is read first, and the wait is open with the next request.
    await client.api.containers.inspect.query({ container: id });
    await client.api.containers.inspect.query({ container: id });
    const onFile = exitFile(join(host.runRoot, "exits"), id);
    end(pid);
    await onFile;
    await wakes.time(async () => await ended);
    await client.api.containers.remove.mutate({ container: id });
    await takeTurn();
  }
  return wakes;
}

function end(pid: number | undefined): void {
  if (pid === undefined) throw new Error("The container has no process");
  process.kill(pid, "SIGKILL");
}

async function exitFile(folder: string, id: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = watch(folder, () => {
    if (existsSync(join(folder, id))) resolve();
  });
  try {
    await promise;
  } finally {
    watcher.close();
  }
}

await main();
