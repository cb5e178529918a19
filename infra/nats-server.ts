/** Starts and stops nats-server. */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { PodfleetError } from "@podfleet/model/errors";

import {
  type ServerCommand,
  type ServerMode,
  spawnServer,
  stopProcess,
  waitUntilReady,
} from "./server-process.ts";

export interface NatsServerOptions {
  /** Folder of `nats-server.conf` and `nats-server.log`; created when missing. */
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  /** Configuration, as rendered by the bus. */
  readonly config: string;
  readonly mode: ServerMode;
}

export interface NatsServer {
  readonly pid: number;
  readonly url: string;
}

/** Resolves when the server accepts clients. @throws PodfleetError UNSUPPORTED when it is not installed, UNAVAILABLE when it does not start */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const configPath = join(options.directory, "nats-server.conf");
  await writeFile(configPath, options.config, { mode: 0o600 });
  const command: ServerCommand = {
    file: findNatsServer(),
    args: ["--config", configPath],
    mode: options.mode,
    logPath: join(options.directory, "nats-server.log"),
    endSignal: "TERM",
  };
  const server = spawnServer(command);
  const isReady = async (): Promise<boolean> => await hasLoggedReady(command.logPath, server.pid);
  await waitUntilReady(server, command, { isReady, timeoutMs: 10_000 });
  return { pid: server.pid, url: `nats://${options.host}:${options.port}` };
}

export async function stopNatsServer(pid: number): Promise<void> {
  await stopProcess(pid, program, { signal: "SIGTERM", timeoutMs: 5_000 });
}

/** Kills the server, as a crash would. */
export async function killNatsServer(pid: number): Promise<void> {
  await stopProcess(pid, program, { signal: "SIGKILL", timeoutMs: 5_000 });
}

/** @throws PodfleetError UNSUPPORTED when it is not installed */
export function findNatsServer(): string {
  for (const directory of ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin"]) {
    const path = join(directory, program);
    if (existsSync(path)) return path;
  }
  throw new PodfleetError(
    "UNSUPPORTED",
    `Cannot find "${program}": install the Debian package "nats-server"`,
  );
}

const program = "nats-server";

/** Whether the log says that this process is ready. Its lines begin with the pid in brackets. */
async function hasLoggedReady(logPath: string, pid: number): Promise<boolean> {
  const lines = (await readFile(logPath, "utf8")).split("\n");
  return lines.some((line) => line.startsWith(`[${pid}] `) && line.endsWith("Server is ready"));
}
