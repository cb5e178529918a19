/**
 * Hosts of one machine for tests: a bridge with an address of the test's, and for each host a network namespace that is joined
 * to it by a pair of links. Programs run in a host by `nsenter --net=<namespacePath>`, so that they share the machine's mounts.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface TestNetwork extends AsyncDisposable {
  /** The test's own address on the bridge: servers that hosts must reach listen there. */
  readonly address: string;
  /** Up to 250. */
  readonly addHost: () => Promise<TestHostNetwork>;
}

export interface TestHostNetwork {
  readonly namespacePath: string;
  readonly address: string;
  /** Takes the host's link down: what is sent to or from it vanishes, and no connection is closed. */
  readonly cut: () => Promise<void>;
  /** Brings the link up again. */
  readonly join: () => Promise<void>;
  /** Limits what the host sends until `unthrottle`; packets that do not fit the queue are dropped. */
  readonly throttle: (limits: { kilobits: number; queueBytes: number }) => Promise<void>;
  readonly unthrottle: () => Promise<void>;
}

const hostsMax = 250;

/**
 * Creates the network. Disposal removes the links and namespaces; nothing may run in the namespaces then.
 * @param label 4 hex digits, which tell the networks of this machine apart
 */
export async function createTestNetwork(label: string): Promise<TestNetwork> {
  const bridge = `pft-${label}`;
  const prefix = subnetPrefix(label);
  await using stack = new AsyncDisposableStack();
  await ip("link", "add", bridge, "type", "bridge");
  stack.defer(async () => await ip("link", "delete", bridge));
  await ip("address", "add", `${prefix}.1/24`, "dev", bridge);
  await ip("link", "set", bridge, "up");
  const owned = stack.move();
  let hosts = 0;
  return {
    address: `${prefix}.1`,
    addHost: async () => {
      hosts += 1;
      if (hosts > hostsMax) throw new Error(`A test network has at most ${hostsMax} hosts`);
      const host = { name: `${bridge}-${hosts}`, bridge, address: `${prefix}.${hosts + 1}` };
      return await addHost(host, owned);
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

async function addHost(
  host: { readonly name: string; readonly bridge: string; readonly address: string },
  stack: AsyncDisposableStack,
): Promise<TestHostNetwork> {
  const { name, bridge, address } = host;
  await ip("netns", "add", name);
  stack.defer(async () => await ip("netns", "delete", name));
  await ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name);
  // Deleted before the namespace, whose links the kernel deletes later.
  stack.defer(async () => await ip("link", "delete", name));
  await ip("link", "set", name, "master", bridge, "up");
  await ip("-netns", name, "address", "add", `${address}/24`, "dev", "eth0");
  await ip("-netns", name, "link", "set", "eth0", "up");
  await ip("-netns", name, "link", "set", "lo", "up");
  return {
    namespacePath: `/run/netns/${name}`,
    address,
    cut: async () => await ip("link", "set", name, "down"),
    join: async () => await ip("link", "set", name, "up"),
    throttle: async ({ kilobits, queueBytes }) => {
      const bucket = ["rate", `${kilobits}kbit`, "burst", "4kb", "limit", `${queueBytes}`];
      await tc("-n", name, "qdisc", "replace", "dev", "eth0", "root", "tbf", ...bucket);
    },
    unthrottle: async () => {
      await tc("-n", name, "qdisc", "replace", "dev", "eth0", "root", "pfifo");
    },
  };
}

/** A subnet of 10.128.0.0/10, which set-up does not use. */
function subnetPrefix(label: string): string {
  if (!/^[0-9a-f]{4}$/.test(label)) throw new Error(`"${label}" must be 4 hex digits`);
  const [high = 0, low = 0] = Buffer.from(label, "hex");
  return `10.${128 + (high % 64)}.${low}`;
}

const run = promisify(execFile);

async function ip(...args: string[]): Promise<void> {
  await run("/usr/sbin/ip", args, { timeout: 10_000 });
}

async function tc(...args: string[]): Promise<void> {
  await run("/usr/sbin/tc", args, { timeout: 10_000 });
}
