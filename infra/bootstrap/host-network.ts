/**
 * The network that makes several hosts of one machine: a bridge with the machine's own address, and for each host a
 * network namespace that is joined to the bridge by a pair of links.
 */
import { existsSync, readdirSync } from "node:fs";

import { execa } from "execa";
import { z } from "zod";

import { SetUpFailure } from "./failure.mjs";

export const bridge = "podfleet0";
/** The machine's address on the bridge; NATS listens there. */
export const bridgeAddress = "10.89.77.1";
const prefixBits = 24;
const namespacesFolder = "/run/netns";
const namespacePrefix = "podfleet-";

export interface HostNetwork {
  /** Namespace, as `ip netns` lists it. */
  readonly namespace: string;
  readonly namespacePath: string;
  readonly address: string;
  /** The machine's end of the pair; the host's end is `eth0`. Taking it down cuts the host off. */
  readonly link: string;
}

/** The network of the host with this number, from 1. */
export function hostNetwork(number: number): HostNetwork {
  const namespace = `${namespacePrefix}host-${number}`;
  return {
    namespace,
    namespacePath: `${namespacesFolder}/${namespace}`,
    address: `10.89.77.${10 + number}`,
    link: `${namespacePrefix}${number}`,
  };
}

/** Makes the bridge and the hosts' links where they are missing, and brings up those that are down. */
export async function ensureNetwork(hosts: readonly HostNetwork[]): Promise<void> {
  if (hosts.length === 0) return;
  await ensureBridge();
  for (const host of hosts) await ensureHost(host);
}

/** Removes every link and namespace that `ensureNetwork` makes. Nothing may run in the namespaces any more. */
export async function removeNetwork(): Promise<void> {
  const links = await listLinks();
  const pairs = links.filter(({ ifname }) => new RegExp(`^${namespacePrefix}\\d+$`).test(ifname));
  // Before the namespaces: the kernel deletes a namespace's links in its own time.
  for (const { ifname } of pairs) await ip("link", "delete", ifname);
  for (const namespace of listNamespaces()) await ip("netns", "delete", namespace);
  if (links.some(({ ifname }) => ifname === bridge)) await ip("link", "delete", bridge);
  await unmountEmptyNamespacesFolder();
}

async function ensureBridge(): Promise<void> {
  const present = (await listLinks()).find(({ ifname }) => ifname === bridge);
  if (!present) {
    await refuseTakenAddress();
    await ip("link", "add", bridge, "type", "bridge");
  }
  await ip("address", "replace", `${bridgeAddress}/${prefixBits}`, "dev", bridge);
  await ip("link", "set", bridge, "up");
}

async function ensureHost(host: HostNetwork): Promise<void> {
  const { namespace, address, link } = host;
  const isWhole = listNamespaces().includes(namespace) && (await isLink(link));
  if (!isWhole) {
    if (listNamespaces().includes(namespace)) await ip("netns", "delete", namespace);
    if (await isLink(link)) await ip("link", "delete", link);
    await ip("netns", "add", namespace);
    const peer = ["peer", "name", "eth0", "netns", namespace];
    await ip("link", "add", link, "type", "veth", ...peer);
  }
  await ip("link", "set", link, "master", bridge, "up");
  await ip("-netns", namespace, "address", "replace", `${address}/${prefixBits}`, "dev", "eth0");
  await ip("-netns", namespace, "link", "set", "eth0", "up");
  await ip("-netns", namespace, "link", "set", "lo", "up");
}

function listNamespaces(): string[] {
  if (!existsSync(namespacesFolder)) return [];
  return readdirSync(namespacesFolder).filter((name) => name.startsWith(`${namespacePrefix}host-`));
}

/** `ip netns add` mounts the folder on itself, and makes it again when it is needed. */
async function unmountEmptyNamespacesFolder(): Promise<void> {
  if (!existsSync(namespacesFolder) || readdirSync(namespacesFolder).length > 0) return;
  // Safe to ignore: it ends with an error when it is not a mount point.
  await execa("umount", [namespacesFolder], { reject: false });
}

const linksSchema = z.array(z.object({ ifname: z.string() }));

async function listLinks(): Promise<z.infer<typeof linksSchema>> {
  return linksSchema.parse(JSON.parse(await ip("-json", "link", "show")));
}

async function isLink(name: string): Promise<boolean> {
  return (await listLinks()).some(({ ifname }) => ifname === name);
}

const routesSchema = z.array(z.object({ dst: z.string(), dev: z.string().optional() }));

async function refuseTakenAddress(): Promise<void> {
  const subnet = `10.89.77.0/${prefixBits}`;
  const routes = routesSchema.parse(JSON.parse(await ip("-json", "route", "show", subnet)));
  const taken = routes.find(({ dev }) => dev !== bridge);
  if (!taken) return;
  throw new SetUpFailure(
    `The network ${subnet} is already used by ${taken.dev ?? "another route"}: remove that route, then run the command again`,
  );
}

/** @returns what it printed */
async function ip(...args: string[]): Promise<string> {
  const result = await execa("ip", args, { reject: false, timeout: 10_000 });
  if (result.exitCode === 0) return result.stdout;
  const reason = result.stderr || result.shortMessage || "unknown reason";
  throw new SetUpFailure(
    `"ip ${args.join(" ")}" failed: ${reason.trim()}; remove what is left of an earlier run with "npm stop"`,
  );
}
