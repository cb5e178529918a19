/** The agents: each a host of its own in a network namespace, or a single one where namespaces are not allowed. */
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
/** A young generation of the usual size would be a quarter of the agent's memory. */
const nodeOptions = ["--max-semi-space-size=2"];
const processPrefix = "agent ";
const zones = ["a", "b", "c"];

export interface Host {
  readonly name: string;
  readonly zone: string;
  /** Absent when the host shares the machine's own network. */
  readonly network: HostNetwork | undefined;
}

/** The hosts that this machine plays. */
export function planHosts(canSeparateNetworks: boolean): Host[] {
  const played = canSeparateNetworks ? zones : zones.slice(0, 1);
  return played.map((zone, index) => ({
    name: `host-${index + 1}`,
    zone,
    network: canSeparateNetworks ? hostNetwork(index + 1) : undefined,
  }));
}

export interface AgentsOptions {
  readonly settings: Settings;
  readonly bundle: BuiltApp;
  readonly nats: Nats;
  readonly hosts: readonly Host[];
  readonly client: Client;
}

/** Starts the agents that do not run as they should, and waits until the control plane has heard from all. */
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
      basis: [options.bundle.hash, namespaceOf(host.network)],
    });
    outcomes.push(`${host.name} ${outcome}`);
    if (outcome !== "running") started.push(host.name);
  }
  for (const { name } of options.hosts) {
    // A host whose agent has only just ended still counts as ready.
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

/** The network alone: `ip netns exec` would give the agent a mount namespace of its own too, where nobody sees its mounts. */
function enterNetwork(network: HostNetwork | undefined): string[] {
  return network ? ["nsenter", `--net=${network.namespacePath}`, "--"] : [];
}

/** A namespace that was made anew is another one, in spite of its name. */
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
    // Hosts of one machine can share its CPUs but not its memory.
    PODFLEET_MEMORY_BYTES: String(Math.floor(totalmem() / hosts.length)),
  };
}

/** When each host was last heard, by its name. */
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
