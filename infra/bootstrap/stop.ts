/** `npm stop`: stops the fleet and removes its processes, mounts, cgroups and network. Records and data are kept. */
import { rm } from "node:fs/promises";

import { type Client, createClient } from "@podfleet/client/client";
import { findContext } from "@podfleet/client/context";
import type { ContainerSummary } from "@podfleet/model/container/record";
import { hasCode } from "@podfleet/model/errors";

import { listAgents } from "./agents.ts";
import { controlPlaneName } from "./control-plane.ts";
import { endProcess } from "./daemon.ts";
import { removeNetwork } from "./host-network.ts";
import { killContainerProcesses, removeCgroups, unmountAll } from "./leftovers.ts";
import { stopNats } from "./nats.ts";
import { cliContextPath, runRoot } from "./paths.ts";
import { stopPostgres } from "./postgres.ts";
import { environmentOfProcess, findProcess } from "./process-table.ts";
import { withSetUpLock } from "./set-up-lock.ts";
import { type Progress, step } from "./steps.mjs";

export async function stop(): Promise<void> {
  await withSetUpLock(tearDown);
}

export async function tearDown(): Promise<void> {
  await step("containers", stopContainers);
  await step("agents", stopAgents);
  await step("control plane", stopControlPlane);
  await step("NATS", async () => ((await stopNats()) ? "stopped" : notRunning));
  await step("Postgres", async () => ((await stopPostgres()) ? "stopped" : notRunning));
  await step("machine", cleanUp);
}

const notRunning = "not running";
/** Containers stopped at the same time. Each may take its stop timeout. */
const stopsAtOnce = 16;

async function stopContainers(progress: Progress): Promise<string> {
  const client = await findClient();
  const containers = client ? await listStoppable(client) : undefined;
  if (!client || !containers) {
    return listAgents().length === 0 ? notRunning : "to be killed: the control plane does not run";
  }
  let stopped = 0;
  for (let first = 0; first < containers.length; first += stopsAtOnce) {
    const group = containers.slice(first, first + stopsAtOnce);
    progress(`stopping ${group.map(({ name }) => name).join(", ")}`);
    const results = await Promise.all(
      group.map(async (container) => await stopContainer(client, container)),
    );
    stopped += results.filter(Boolean).length;
  }
  const left = containers.length - stopped;
  return `${stopped} stopped${left > 0 ? `, ${left} to be killed` : ""}`;
}

/** @returns a client of this machine's control plane; undefined when the context file is for another one */
async function findClient(): Promise<Client | undefined> {
  const controlPlane = findProcess(controlPlaneName);
  if (!controlPlane) return undefined;
  const listen = environmentOfProcess(controlPlane)["PODFLEET_LISTEN"];
  const context = await findContext(cliContextPath);
  return context && context.url === `http://${listen}` ? createClient(context) : undefined;
}

async function listStoppable(client: Client): Promise<ContainerSummary[] | undefined> {
  try {
    return await client.api.containers.list.query({
      all: true,
      filters: { state: ["created", "running", "paused"] },
    });
  } catch (error) {
    if (hasCode(error, "UNAVAILABLE", "UNAUTHENTICATED")) return undefined;
    throw error;
  }
}

/** @returns whether the container was stopped; the others are killed later */
async function stopContainer(client: Client, { id, state }: ContainerSummary): Promise<boolean> {
  try {
    if (state === "paused") await client.api.containers.unpause.mutate({ container: id });
    await client.api.containers.stop.mutate({ container: id });
    return true;
  } catch (error) {
    if (hasCode(error, "ALREADY_STOPPED", "CONTAINER_NOT_FOUND")) return true;
    if (hasCode(error, "HOST_UNREACHABLE", "UNAVAILABLE", "STATE_INVALID", "NOT_PAUSED", "TIMEOUT"))
      return false;
    throw error;
  }
}

async function stopAgents(): Promise<string> {
  const agents = listAgents();
  await Promise.all(agents.map(async (agent) => await endProcess(agent)));
  return agents.length > 0 ? `${agents.length} stopped` : notRunning;
}

async function stopControlPlane(): Promise<string> {
  const running = findProcess(controlPlaneName);
  if (running) await endProcess(running);
  return running ? "stopped" : notRunning;
}

async function cleanUp(): Promise<string> {
  await killContainerProcesses();
  await unmountAll();
  await removeCgroups();
  await removeNetwork();
  await rm(runRoot, { recursive: true, force: true });
  return "no process, mount, cgroup, namespace or link is left";
}
