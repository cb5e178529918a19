/** Agents: one for each host in a network namespace, or a single one where namespaces are not allowed. */
import { statSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { Client } from "@podfleet/client/client";

import type { BuiltApp } from "../../scripts/build.ts";
import { ensureAgentCredentials } from "../nats-identity.ts";
import { ensureDaemon, waitUntilReady } from "./daemon.ts";
import { hostNetwork, type HostNetwork } from "./host-network.ts";
import type { Nats } from "./nats.ts";
import { hostsFolder, natsFolder, runRoot } from "./paths.ts";
import { listProcesses, type ProcessEntry } from "./process-table.ts";
import type { Settings } from "./settings.ts";
import { nodePath, root } from "./workspace.mjs";

const program = join(root, "apps/agent/dist/main.mjs");
/** V8's default young generation would take a quarter of the agent's memory. */
const nodeOptions = ["--max-semi-space-size=2"];
const processPrefix = "agent ";
const zones = ["a", "b", "c"];

export interface Host {
  readonly name: string;
  readonly zone: string;
  /** Undefined when the host uses the machine's network. */
  readonly network: HostNetwork | undefined;
}

/** Plans the hosts of this machine. */
export function planHosts(canSeparateNetworks: boolean): Host[] {
  const hostZones = canSeparateNetworks ? zones : zones.slice(0, 1);
  return hostZones.map((zone, index) => ({
    name: `host-${index + 1}`,
    zone,
    network: canSeparateNetworks ? hostNetwork(index + 1) : undefined,
  }));
}

export interface AgentsOptions {
  readonly settings: Settings;
  readonly program: BuiltApp;
  readonly nats: Nats;
  readonly hosts: readonly Host[];
  readonly client: Client;
}

/** Starts or restarts agents that are missing or outdated. Resolves when the control plane has heard from all. */
export async function ensureAgents(options: AgentsOptions): Promise<string> {
  const { client } = options;
  const lastSeen = await readLastSeen(client);
  const outcomes = [];
  const started = [];
  for (const host of options.hosts) {
    const outcome = await ensureDaemon({
      name: `${processPrefix}${host.name}`,
      command: [...enterNetwork(host.network), nodePath, ...nodeOptions, program],
      env: await environmentOf(host, options),
      basis: [options.program.hash, namespaceOf(host.network)],
    });
    outcomes.push(`${host.name} ${outcome}`);
    if (outcome !== "running") started.push(host.name);
  }
  for (const { name } of options.hosts) {
    // A host whose agent has just ended is still listed as ready.
    const seenBefore = started.includes(name) ? lastSeen.get(name) : undefined;
    await waitUntilReady(
      `${processPrefix}${name}`,
      async () => await isReady(client, { name, seenBefore }),
    );
  }
  return outcomes.join(", ");
}

export function listAgents(): ProcessEntry[] {
  return listProcesses().filter(({ name }) => name.startsWith(processPrefix));
}

/** Enters the network namespace only: `ip netns exec` would also create a mount namespace and hide the agent's mounts. */
function enterNetwork(network: HostNetwork | undefined): string[] {
  return network ? ["nsenter", `--net=${network.namespacePath}`, "--"] : [];
}

/** @returns an id of the namespace, which changes when it is recreated under the same name */
function namespaceOf(network: HostNetwork | undefined): string {
  return network ? String(statSync(network.namespacePath).ino) : "machine";
}

async function environmentOf(host: Host, options: AgentsOptions): Promise<Record<string, string>> {
  const { settings, nats, hosts } = options;
  return {
    ...settings.environment,
    PODFLEET_HOST_NAME: host.name,
    PODFLEET_LABELS: `zone=${host.zone}`,
    NATS_URL: nats.url,
    PODFLEET_NATS_CREDENTIALS: await ensureAgentCredentials(natsFolder, nats.identity, host.name),
    PODFLEET_DATA_ROOT: join(hostsFolder, host.name),
    PODFLEET_RUN_ROOT: join(runRoot, host.name),
    // Hosts on one machine can share its CPUs but not its memory.
    PODFLEET_MEMORY_BYTES: String(Math.floor(totalmem() / hosts.length)),
  };
}

/** @returns when each host was last seen, by name */
async function readLastSeen(client: Client): Promise<Map<string, string>> {
  const hosts = await client.api.hosts.list.query();
  return new Map(hosts.map(({ name, lastSeenAt }) => [name, lastSeenAt]));
}

async function isReady(
  client: Client,
  { name, seenBefore }: { readonly name: string; readonly seenBefore: string | undefined },
): Promise<boolean> {
  const hosts = await client.api.hosts.list.query();
  const host = hosts.find((each) => each.name === name);
  if (host?.state === "ready" && host.lastSeenAt !== seenBefore) return true;
  await sleep(50);
  return false;
}
