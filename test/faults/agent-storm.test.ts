/**
 * kill -9 of the agent, again and again at any moment of its life, while two lifecycles of containers begin each second. In the end
 * nothing is left: no container, mount, cgroup, process, socket or file of one, and no operation without an outcome.
 *
 * PODFLEET_TEST_EFFORT=25 kills it 200 times.
 */
import type { Dirent } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import type { Client } from "@podfleet/client/client";
import { testEffort } from "@podfleet/testkit/effort";
import { SeededRandom, printedSeed } from "@podfleet/testkit/seed";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { type Fleet, type FleetHost, startFleet } from "../fleet/fleet.ts";
import { Life, lifecycles } from "./lifecycles.ts";

const rounds = 8 * testEffort;
/** The longest life of an agent before it is killed; it opens in the first half second. */
const lifeMsMax = 2_500;
const lifecycleIntervalMs = 500;
/** The deadline of recovery: a restarted agent has many operations to finish. */
const underWayMax = 60;
const timeMsMax = 60_000 + rounds * 6_000;

/** pino's level number. */
const errorLevel = 50;

let fleet: Fleet;
let host: FleetHost;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 1 });
  const [only] = fleet.hosts;
  if (!only) throw new Error("The fleet has no host");
  host = only;
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

test(
  `${rounds} kills of the agent under two lifecycles a second leave nothing behind`,
  async () => {
    const random = new SeededRandom(printedSeed("kills of the agent"));
    const storm = new AbortController();
    const load = beginLifecycles(fleet.client, storm.signal);
    try {
      for (let round = 0; round < rounds; round += 1) {
        await random.moment(lifeMsMax);
        await host.agent.end("SIGKILL");
        host.agent.start();
      }
    } finally {
      storm.abort();
    }
    const { begun, failures } = await load;
    expect(failures).toEqual([]);
    expect(begun).toBeGreaterThan(rounds);
    await nothingLeft();
    expect(await defects()).toEqual([]);
  },
  timeMsMax,
);

interface Load {
  readonly begun: number;
  readonly failures: readonly string[];
}

/** Begins a lifecycle every half second, each kind in turn, until `signal` is aborted; resolves when all have ended. */
async function beginLifecycles(client: Client, signal: AbortSignal): Promise<Load> {
  const underWay = new Set<Promise<void>>();
  const failures: string[] = [];
  let begun = 0;
  const kinds = Object.entries(lifecycles);
  while (!signal.aborted) {
    const [name, live] = kinds[begun % kinds.length] ?? [];
    if (live && underWay.size < underWayMax) {
      const label = `${name} ${begun}`;
      begun += 1;
      const life = live(new Life(client, host.name))
        .catch((error: unknown) => void failures.push(`${label}: ${String(error)}`))
        .finally(() => underWay.delete(life));
      underWay.add(life);
    }
    // oxlint-disable-next-line no-restricted-properties -- the load is so many a second
    await systemClock.sleep(lifecycleIntervalMs);
  }
  await Promise.all(underWay);
  return { begun, failures };
}

async function nothingLeft(): Promise<void> {
  const { client } = fleet;
  await fleet.ready();
  expect(await client.api.containers.list.query({ all: true })).toEqual([]);
  for (const status of ["pending", "dispatched"] as const) {
    await waitFor(async () => (await client.api.operations.list.query({ status })).length === 0, {
      what: `the outcome of each operation that is ${status}`,
      timeoutMs: 60_000,
    });
  }
  let left: string[] = [];
  try {
    await waitFor(
      async () => {
        left = await remains();
        return left.length === 0;
      },
      { what: "the remains to go", timeoutMs: 20_000 },
    );
  } catch (error) {
    throw new Error(`Left behind: ${left.join(", ")}`, { cause: error });
  }
}

async function remains(): Promise<string[]> {
  const { dataRoot, runRoot, cgroupParent } = host;
  return [
    ...(await findLeaks(dataRoot, cgroupParent)),
    ...(await findLeaks(runRoot, `${cgroupParent}-monitors`)),
    ...(await namesOfContainers(runRoot)),
    ...(await namesOfContainers(join(dataRoot, "containers"))),
  ];
}

/** Files, sockets and fifos in the folder, and folders that are named for a container or a session. */
async function namesOfContainers(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const isOne = (entry: Dirent): boolean =>
    !entry.isDirectory() || /^[0-9a-f]{64}$/.test(entry.name);
  return entries.filter(isOne).map(({ parentPath, name }) => join(parentPath, name));
}

/** Errors in the logs of the agents and the control plane. */
async function defects(): Promise<string[]> {
  const names = (await readdir(fleet.root)).filter((name) => name.endsWith(".log"));
  const texts = await Promise.all(
    names.map(async (name) => await readFile(join(fleet.root, name), "utf8")),
  );
  const lines = texts.flatMap((text) => text.split("\n"));
  return lines.filter((line) =>
    line.startsWith("{") ? JSON.parse(line).level >= errorLevel : line !== "",
  );
}
