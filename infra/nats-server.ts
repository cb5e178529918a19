/** Launches nats-server with a configuration from the bus's `renderNatsServerConfig`. */
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
  /** Made when absent; holds `nats-server.conf` and `nats-server.log`. */
  readonly directory: string;
  readonly host: string;
  readonly port: number;
  /** Text of the configuration. */
  readonly config: string;
  readonly mode: ServerMode;
}

export interface NatsServer {
  readonly pid: number;
  readonly url: string;
}

/** Resolves when the server takes clients. @throws PodfleetError UNSUPPORTED without the program, UNAVAILABLE when it does not start */
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
  const isReady = async (): Promise<boolean> => await saysReady(command.logPath, server.pid);
  await waitUntilReady(server, command, { isReady, timeoutMs: 10_000 });
  return { pid: server.pid, url: `nats://${options.host}:${options.port}` };
}

export async function stopNatsServer(pid: number): Promise<void> {
  await stopProcess(pid, program, { signal: "SIGTERM", timeoutMs: 5_000 });
}

/** Ends it at once, as a crash would. */
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

/** The log's lines begin with the pid in brackets; another server on the port does not count. */
async function saysReady(logPath: string, pid: number): Promise<boolean> {
  const lines = (await readFile(logPath, "utf8")).split("\n");
  return lines.some((line) => line.startsWith(`[${pid}] `) && line.endsWith("Server is ready"));
}
