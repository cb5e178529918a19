/** The first container: it runs on a host of the fleet, and its output and exit code are shown. */
import { Blob } from "node:buffer";
import { join } from "node:path";

import type { Client } from "@podfleet/client/client";
import { execa } from "execa";

import { busyboxImageName, makeBusyboxImage } from "../busybox-image.ts";
import type { Host } from "./agents.ts";
import { SetUpFailure } from "./failure.mjs";
import { nodePath, root } from "./workspace.mjs";

const jobName = "hello";
const jobScript = 'echo "hello from $HOSTNAME"; for i in 1 2 3; do echo "step $i"; done';
const cli = join(root, "apps/cli/bin/podfleet.mjs");

/** Loads the busybox image on hosts that lack it. @returns the line of the step */
export async function ensureImage(client: Client, hosts: readonly string[]): Promise<string> {
  const image = await makeBusyboxImage();
  const loaded = (await client.api.images.list.query()).find(({ id }) => id === image.id);
  const missing = hosts.filter((host) => loaded?.hosts.includes(host) !== true);
  if (missing.length === 0) return `${busyboxImageName} on ${hosts.join(", ")}`;
  const { hosts: results } = await client.loadImage(
    new Blob([image.bytes]).stream() as ReadableStream<Uint8Array>,
    { hosts: missing },
  );
  const failed = results.find(({ error }) => error !== undefined);
  if (failed) {
    throw new SetUpFailure(
      `Cannot load the busybox image on ${failed.name}: ${failed.error?.message}`,
    );
  }
  return `${busyboxImageName} loaded on ${missing.join(", ")}`;
}

/** Runs the job, unless an earlier `npm start` has. @returns whether it ran now */
export async function runMainJob(client: Client, hosts: readonly Host[]): Promise<boolean> {
  const containers = await client.api.containers.list.query({
    all: true,
    filters: { name: [jobName] },
  });
  if (containers.some(({ name }) => name === jobName)) return false;
  const limits = ["--cpus", "0.5", "--memory", "64m"];
  // Without network namespaces for hosts there are none for containers either.
  const network = hosts.some((host) => host.network) ? [] : ["--network", "host"];
  const command = ["busybox", "sh", "-c", jobScript];
  const exitCode = await show("run", "--name", jobName, ...limits, ...network, ...command);
  if (exitCode !== 0) {
    throw new SetUpFailure(
      `The first container ended with ${exitCode}: "npx podfleet inspect ${jobName}" says why`,
    );
  }
  console.log(`exit code ${exitCode}`);
  return true;
}

/** Shows the hosts and containers, and commands to try next. */
export async function showFleet(client: Client, isFirstRun: boolean): Promise<void> {
  await show("host", "ls");
  await show("ps", "-a");
  if (isFirstRun) await showTrace(client);
  console.log(next);
}

async function showTrace(client: Client): Promise<void> {
  const operations = await client.api.operations.list.query({ container: jobName });
  const start = operations.find(({ verb }) => verb === "container.start");
  if (start) await show("trace", start.id);
}

const next = `
Next:
  npx podfleet run busybox sh -c 'echo out; echo err >&2; exit 7'
  npx podfleet run -d --name clock --host host-2 busybox sh -c 'while date; do sleep 1; done'
  npx podfleet logs -f clock
  npx podfleet --help
  npm stop`;

/** Prints and runs a podfleet command. @returns its exit code */
async function show(...args: string[]): Promise<number> {
  console.log(`\n$ npx podfleet ${args.map(quote).join(" ")}`);
  const result = await execa(nodePath, [cli, ...args], {
    cwd: root,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    reject: false,
    timeout: 120_000,
  });
  return result.exitCode ?? 125;
}

/** Quotes a word for a shell if needed. */
function quote(argument: string): string {
  return /^[\w./:=-]+$/.test(argument)
    ? argument
    : `'${argument.replaceAll("'", String.raw`'\''`)}'`;
}
