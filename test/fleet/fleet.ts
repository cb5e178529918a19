/**
 * A whole fleet on this machine, of the programs that ship: Postgres, nats-server, replicas of the control plane, and agents,
 * each in a network namespace of its own with its own engine, data and cgroup. Tests kill any part of it and start it again.
 */
import { randomBytes } from "node:crypto";
import { openAsBlob } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { startNatsServer, type TestNatsServer } from "@podfleet/bus/test-nats-server";
import { type Client, createClient } from "@podfleet/client/client";
import { type HostId, newHostId } from "@podfleet/model/ids";
import { endRemains } from "@podfleet/oci/cgroup/test-remains";
import { busyboxArchive } from "@podfleet/testkit/busybox-image";
import { freePort } from "@podfleet/testkit/free-port";
import { createTempRoot } from "@podfleet/testkit/temp-root";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { createTestNetwork, type TestHostNetwork } from "@podfleet/testkit/test-network";
import { TestProcess } from "@podfleet/testkit/test-process";
import { TestTerminal, type TestTerminalOptions } from "@podfleet/testkit/test-terminal";
import { waitFor } from "@podfleet/testkit/wait-for";
import { execa } from "execa";

import { buildApps } from "../../scripts/build.ts";

export interface FleetOptions {
  /** The number of hosts; 3 when absent. */
  readonly hosts?: number;
  /** The number of replicas of the control plane; 1 when absent. */
  readonly replicas?: number;
  /** Further settings of the agents. */
  readonly agentEnv?: Readonly<Record<string, string>>;
}

export interface FleetHost {
  readonly id: HostId;
  readonly name: string;
  readonly agent: TestProcess;
  /** Cuts the host off and joins it again, by its link. */
  readonly network: TestHostNetwork;
  readonly dataRoot: string;
  readonly runRoot: string;
  readonly cgroupParent: string;
}

export interface Replica {
  readonly url: string;
  /** Path of the Unix socket on which it serves the Docker API. */
  readonly dockerSocket: string;
  readonly process: TestProcess;
  /** Starts it and resolves once it answers. */
  readonly start: () => Promise<void>;
}

export interface Fleet extends AsyncDisposable {
  readonly root: string;
  readonly token: string;
  readonly hosts: readonly FleetHost[];
  readonly replicas: readonly Replica[];
  readonly nats: TestNatsServer;
  readonly postgres: TestPostgres;
  /** A client of the first replica. */
  readonly client: Client;
  /** A client of one replica, on connections of its own. */
  readonly clientOf: (replica: Replica) => Client;
  /** Runs the CLI against the first replica. */
  readonly cli: (args: readonly string[], options?: CliOptions) => Promise<CliResult>;
  /** Runs a line of shell on a terminal, in which `podfleet` is the CLI against the first replica. */
  readonly terminal: (line: string, options?: Pick<TestTerminalOptions, "size">) => TestTerminal;
  /** Resolves once the control plane has heard from every host lately. */
  readonly ready: () => Promise<void>;
}

export interface CliOptions {
  /** The standard input; empty when absent. */
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

export interface CliResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const cliTimeoutMs = 60_000;
const startTimeoutMs = 20_000;

export async function startFleet(options: FleetOptions = {}): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  const root = stack.use(await createTempRoot("fleet")).path;
  const label = randomBytes(2).toString("hex");
  await buildApps();
  const network = stack.use(await createTestNetwork(label));
  const postgres = stack.use(await startTestPostgres({ durable: true }));
  const database = stack.use(await postgres.createDatabase());
  const nats = stack.use(await startNatsServer({ host: network.address }));

  const controlPlane = { root, databaseUrl: database.url, nats };
  const replicas: Replica[] = [];
  for (let number = 1; number <= (options.replicas ?? 1); number += 1) {
    const replica = await makeReplica(controlPlane, number);
    stack.defer(async () => await replica.process.end("SIGTERM"));
    await replica.start();
    replicas.push(replica);
  }
  const token = await createToken(controlPlane);
  const clientOf = ({ url }: Replica): Client => createClient({ url, token });
  const client = clientOf(first(replicas));

  const hosts: FleetHost[] = [];
  for (let number = 1; number <= (options.hosts ?? 3); number += 1) {
    const host = await makeHost(
      { root, nats, network: await network.addHost(), env: options.agentEnv ?? {} },
      `${label}-${number}`,
    );
    stack.defer(async () => await endRemains(host));
    stack.defer(async () => await host.agent.end("SIGTERM"));
    host.agent.start();
    hosts.push(host);
  }
  const ready = async (): Promise<void> => await waitForHosts(client, hosts);
  await ready();
  await loadBusybox(client, hosts);

  const cliEnv = {
    ...baseEnvironment,
    PATH: `${await makeCommand(root)}:${baseEnvironment.PATH}`,
    XDG_CONFIG_HOME: root,
    PODFLEET_URL: client.url,
    PODFLEET_TOKEN: token,
  };
  const owned = stack.move();
  return {
    root,
    token,
    hosts,
    replicas,
    nats,
    postgres,
    client,
    clientOf,
    cli: async (args, { env, input = "" } = {}) =>
      await runCli(args, { env: { ...cliEnv, ...env }, input }),
    terminal: (line, options = {}) =>
      new TestTerminal({ ...options, env: cliEnv, command: ["/bin/sh", "-c", line] }),
    ready,
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

interface ControlPlaneParts {
  readonly root: string;
  readonly databaseUrl: string;
  readonly nats: TestNatsServer;
}

async function makeReplica(parts: ControlPlaneParts, number: number): Promise<Replica> {
  const listen = `127.0.0.1:${await freePort()}`;
  const url = `http://${listen}`;
  const name = `control-plane-${number}`;
  const dockerSocket = join(parts.root, `docker-${number}.sock`);
  const replica = new TestProcess({
    name,
    command: [process.execPath, ...programs.controlPlane, "serve"],
    env: {
      ...(await controlPlaneEnvironment(parts)),
      PODFLEET_LISTEN: listen,
      PODFLEET_DOCKER_SOCKET: dockerSocket,
    },
    logPath: join(parts.root, `${name}.log`),
  });
  const start = async (): Promise<void> => {
    replica.start();
    await waitFor(async () => (await fetch(`${url}/healthz`)).ok, {
      what: `${name} to answer`,
      timeoutMs: startTimeoutMs,
    });
  };
  return { url, dockerSocket, process: replica, start };
}

async function controlPlaneEnvironment(parts: ControlPlaneParts): Promise<Record<string, string>> {
  const credentialsPath = join(parts.root, "control-plane.creds");
  await writeFile(credentialsPath, await parts.nats.controlPlaneCredentials(), { mode: 0o600 });
  return {
    ...baseEnvironment,
    DATABASE_URL: parts.databaseUrl,
    NATS_URL: parts.nats.url,
    PODFLEET_NATS_CREDENTIALS: credentialsPath,
  };
}

async function createToken(parts: ControlPlaneParts): Promise<string> {
  const args = [...programs.controlPlane, "token", "create", "test"];
  const env = await controlPlaneEnvironment(parts);
  const options = { env, extendEnv: false, timeout: startTimeoutMs };
  return (await execa(process.execPath, args, options)).stdout;
}

interface HostParts {
  readonly root: string;
  readonly nats: TestNatsServer;
  readonly network: TestHostNetwork;
  readonly env: Readonly<Record<string, string>>;
}

async function makeHost(parts: HostParts, name: string): Promise<FleetHost> {
  const { root, nats, network, env } = parts;
  const id = newHostId();
  const credentialsPath = join(root, `${name}.creds`);
  await writeFile(credentialsPath, await nats.agentCredentials(id), { mode: 0o600 });
  const dataRoot = join(root, name);
  const runRoot = join(root, `${name}.run`);
  const agent = new TestProcess({
    name: `agent ${name}`,
    command: [
      ...["/usr/bin/nsenter", `--net=${network.namespacePath}`, "--"],
      ...[process.execPath, ...programs.agent],
    ],
    env: {
      ...baseEnvironment,
      NATS_URL: nats.url,
      PODFLEET_HOST_NAME: name,
      PODFLEET_NATS_CREDENTIALS: credentialsPath,
      PODFLEET_DATA_ROOT: dataRoot,
      PODFLEET_RUN_ROOT: runRoot,
      PODFLEET_CPUS: "4",
      PODFLEET_MEMORY_BYTES: String(4 * 1024 ** 3),
      ...env,
    },
    logPath: join(root, `${name}.log`),
  });
  return { id, name, agent, network, dataRoot, runRoot, cgroupParent: `/podfleet/${name}` };
}

async function waitForHosts(client: Client, hosts: readonly FleetHost[]): Promise<void> {
  await waitFor(
    async () => {
      const known = await client.api.hosts.list.query();
      const ready = known.filter(({ state }) => state === "ready").map(({ id }) => id);
      return hosts.every(({ id }) => ready.includes(id));
    },
    { what: "every host to be ready", timeoutMs: startTimeoutMs },
  );
}

/** Containers of any host can name the image `busybox` from now on. */
async function loadBusybox(client: Client, hosts: readonly FleetHost[]): Promise<void> {
  const archive = await openAsBlob(await busyboxArchive());
  const loaded = await client.loadImage(archive.stream());
  const failed = loaded.hosts.find(({ error }) => error);
  if (failed || loaded.hosts.length !== hosts.length) {
    throw new Error(`Cannot load the image on every host: ${JSON.stringify(loaded.hosts)}`);
  }
}

const baseEnvironment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  PODFLEET_LOG_LEVEL: "debug",
};

async function runCli(args: readonly string[], options: Required<CliOptions>): Promise<CliResult> {
  const { stdout, stderr, exitCode } = await execa(process.execPath, [...programs.cli, ...args], {
    ...options,
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    timeout: cliTimeoutMs,
  });
  return { stdout, stderr, exitCode: exitCode ?? -1 };
}

/** @returns a folder with `podfleet` in it, for a shell to find */
async function makeCommand(root: string): Promise<string> {
  const folder = join(root, "bin");
  await mkdir(folder);
  const words = [process.execPath, ...programs.cli].map((word) => `'${word}'`).join(" ");
  const script = `#!/bin/sh\nexec ${words} "$@"\n`;
  await writeFile(join(folder, "podfleet"), script, { mode: 0o755 });
  return folder;
}

const apps = join(import.meta.dirname, "../../apps");

/** Arguments of Node, the same as set-up's. A source map would take an agent more memory than everything else. */
const programs = {
  controlPlane: [
    "--enable-source-maps",
    "--max-semi-space-size=2",
    join(apps, "control-plane/dist/main.mjs"),
  ],
  agent: ["--max-semi-space-size=2", join(apps, "agent/dist/main.mjs")],
  cli: [join(apps, "cli/bin/podfleet.mjs")],
};

function first<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined) throw new Error("A fleet needs at least one replica");
  return item;
}
