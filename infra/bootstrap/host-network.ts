/** Network of several hosts on one machine: a bridge, and for each host a network namespace that a veth pair connects to it. */
import { existsSync, readdirSync } from "node:fs";

import { execa } from "execa";
import { z } from "zod";

import { SetUpFailure } from "./failure.mjs";

export const bridge = "podfleet0";
/** Address of the machine on the bridge, where NATS listens. */
export const bridgeAddress = "10.89.77.1";
const prefixBits = 24;
const namespacesFolder = "/run/netns";
const namespacePrefix = "podfleet-";

export interface HostNetwork {
  /** Name in `ip netns`. */
  readonly namespace: string;
  readonly namespacePath: string;
  readonly address: string;
  /** The machine's end of the veth pair; the host's end is `eth0`. Taking it down disconnects the host. */
  readonly link: string;
}

/** @param number of the host, from 1 */
export function hostNetwork(number: number): HostNetwork {
  const namespace = `${namespacePrefix}host-${number}`;
  return {
    namespace,
    namespacePath: `${namespacesFolder}/${namespace}`,
    address: `10.89.77.${10 + number}`,
    link: `${namespacePrefix}${number}`,
  };
}

/** Creates the bridge, the namespaces and links that are missing, and brings up links that are down. */
export async function ensureNetwork(hosts: readonly HostNetwork[]): Promise<void> {
  if (hosts.length === 0) return;
  await ensureBridge();
  for (const host of hosts) await ensureHost(host);
}

/** Removes all links and namespaces of `ensureNetwork`. No process may be left in the namespaces. */
export async function removeNetwork(): Promise<void> {
  const links = await listLinks();
  const pairs = links.filter(({ ifname }) => new RegExp(`^${namespacePrefix}\\d+$`).test(ifname));
  // Before the namespaces, because the kernel deletes the links of a namespace asynchronously.
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

/** `ip netns add` bind-mounts the folder on itself, and repeats that when needed. */
async function unmountEmptyNamespacesFolder(): Promise<void> {
  if (!existsSync(namespacesFolder) || readdirSync(namespacesFolder).length > 0) return;
  // Safe to ignore: it fails when the folder is not a mount point.
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

/** Runs ip(8). @returns its standard output */
async function ip(...args: string[]): Promise<string> {
  const result = await execa("ip", args, { reject: false, timeout: 10_000 });
  if (result.exitCode === 0) return result.stdout;
  const reason = result.stderr || result.shortMessage || "unknown reason";
  throw new SetUpFailure(
    `"ip ${args.join(" ")}" failed: ${reason.trim()}; remove the remains of an earlier run with "npm stop"`,
  );
}
