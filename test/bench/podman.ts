/** podman's API service on a Unix socket, with a store of its own, runc and no network. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import type { Socket } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";

import { hasErrno } from "@podfleet/base/errno";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";

import { command } from "./contender.ts";
import type { Contender } from "./contender.ts";

const run = promisify(execFile);

const podman = "/usr/bin/podman";
const image = "docker.io/library/busybox:latest";
const timeoutMs = 30_000;

/** podman's default limits exceed what a host without CAP_SYS_RESOURCE may set. */
const limits = ["NOFILE", "NPROC"].map((type) => ({ type, soft: 4096, hard: 4096 }));

/** A running service. */
export interface Podman extends AsyncDisposable {
  readonly call: Caller;
  /** Creates and starts a container; resolves with the length of its output when that has ended. */
  readonly runAttached: (command: readonly string[]) => Promise<number>;
}

/**
 * @param archive OCI or Docker image archive
 * @returns undefined where podman is not installed
 */
export async function startPodman(archive: string): Promise<Podman | undefined> {
  if (!existsSync(podman)) return undefined;
  await using stack = new AsyncDisposableStack();
  const root = await mkdtemp("/tmp/podfleet-bench-podman-");
  stack.defer(() => rm(root, { recursive: true }));
  const socket = join(root, "api.sock");
  const service = startService(root, socket);
  stack.defer(async () => await endService(service, root));
  const call: Caller = (method, path, body) => callApi(socket, { method, path, body });
  await waitFor(async () => await call("GET", "/info"), { what: "podman's service" });
  await loadImage(socket, archive);
  const owned = stack.move();
  return {
    call,
    runAttached: async (command) => {
      const id = await create(call, command);
      const output = await attach(socket, id);
      await call("POST", `/containers/${id}/start`);
      const length = await lengthOfOutput(output);
      await call("DELETE", `/containers/${id}?force=true`);
      return length;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/**
 * @param archive OCI or Docker image archive
 * @returns undefined where podman is not installed
 */
export async function openPodman(archive: string): Promise<Contender | undefined> {
  const service = await startPodman(archive);
  if (!service) return undefined;
  const { call } = service;
  return {
    name: "podman's API service",
    createAndStart: async () => {
      const id = await create(call, command);
      await call("POST", `/containers/${id}/start`);
      return id;
    },
    exec: async (id, args) => await runExec(call, id, args),
    stop: async (id) => void (await call("POST", `/containers/${id}/stop?timeout=0`)),
    remove: async (id) => void (await call("DELETE", `/containers/${id}`)),
    [Symbol.asyncDispose]: async () => await service[Symbol.asyncDispose](),
  };
}

async function create(call: Caller, args: readonly string[]): Promise<string> {
  const spec = { image, command: args, netns: { nsmode: "none" }, r_limits: limits };
  const { Id: id } = (await call("POST", "/containers/create", spec)) as { Id: string };
  return id;
}

/** Attaches to a container: upgrades a connection to its output. */
async function attach(socket: string, id: string): Promise<Socket> {
  const outgoing = request({
    socketPath: socket,
    method: "POST",
    path: `/v4.0.0/libpod/containers/${id}/attach?stream=true&stdout=true&stderr=true`,
    headers: { connection: "Upgrade", upgrade: "tcp" },
  });
  outgoing.end();
  const [, connection, head] = (await once(outgoing, "upgrade")) as [unknown, Socket, Buffer];
  if (head.length > 0) connection.unshift(head);
  return connection;
}

/** Counts the payload of Docker's multiplexed frames: a stream, three zeros, a length, and the payload. */
async function lengthOfOutput(frames: Socket): Promise<number> {
  const headBytes = 8;
  let length = 0;
  /** Bytes left of the present frame, and the part of a header that was cut in two. */
  let left = 0;
  let head = Buffer.alloc(0);
  for await (const bytes of frames as AsyncIterable<Buffer>) {
    let at = 0;
    while (at < bytes.length) {
      if (left === 0) {
        const part = bytes.subarray(at, at + headBytes - head.length);
        head = Buffer.concat([head, part]);
        at += part.length;
        if (head.length < headBytes) break;
        left = head.readUInt32BE(4);
        length += left;
        head = Buffer.alloc(0);
      }
      const taken = Math.min(left, bytes.length - at);
      left -= taken;
      at += taken;
    }
  }
  return length;
}

/** The response to the start ends with the command. */
async function runExec(call: Caller, container: string, args: readonly string[]): Promise<void> {
  const spec = { AttachStdout: true, AttachStderr: true, Cmd: args };
  const made = await call("POST", `/containers/${container}/exec`, spec);
  const { Id: id } = made as { Id: string };
  await call("POST", `/exec/${id}/start`, { Detach: false, Tty: false });
  const ended = await call("GET", `/exec/${id}/json`);
  const { ExitCode: exitCode } = ended as { ExitCode: number };
  if (exitCode !== 0) throw new Error(`podman's command ended with ${exitCode}`);
}

function startService(root: string, socket: string): ChildProcess {
  const flags = [
    ["--root", join(root, "store")],
    ["--runroot", join(root, "run")],
    ["--tmpdir", join(root, "tmp")],
    ["--runtime", "runc"],
    ["--cgroup-manager", "cgroupfs"],
    ["--events-backend", "file"],
    ["system", "service", "--time", "0", `unix://${socket}`],
  ].flat();
  return spawn(podman, flags, { stdio: ["ignore", "ignore", "inherit"] });
}

async function endService(service: ChildProcess, root: string): Promise<void> {
  service.kill("SIGTERM");
  if (service.exitCode === null && service.signalCode === null) await once(service, "exit");
  await waitFor(async () => await endMonitors(root), {
    what: "the end of podman's processes",
    timeoutMs,
  });
  // containers/storage keeps its overlay folder mounted on itself, unless podman has still found the time to unmount it.
  const overlay = join(root, "store/overlay");
  const mounts = await readFile("/proc/self/mountinfo", "utf8");
  if (mounts.includes(` ${overlay} `)) await run("umount", [overlay]);
}

/** A monitor of an exec session waits for five minutes before it has podman clean up. @returns whether none is left */
async function endMonitors(root: string): Promise<boolean> {
  const leaks = await findLeaks(root);
  const pids = leaks.flatMap((leak) => /^process (\d+)/.exec(leak)?.[1] ?? []);
  for (const pid of pids) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if (!hasErrno(error, "ESRCH")) throw error;
    }
  }
  return pids.length === 0;
}

async function loadImage(socket: string, archive: string): Promise<void> {
  const { outgoing, answer } = send(socket, { method: "POST", path: "/images/load" });
  await Promise.all([pipeline(createReadStream(archive), outgoing), answer]);
}

type Caller = (...call: [method: string, path: string, body?: unknown]) => Promise<unknown>;

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

async function callApi(socket: string, call: Call): Promise<unknown> {
  const { outgoing, answer } = send(socket, call);
  outgoing.end(call.body === undefined ? undefined : JSON.stringify(call.body));
  return await answer;
}

function send(socket: string, call: Call) {
  const outgoing = request({
    socketPath: socket,
    method: call.method,
    path: `/v4.0.0/libpod${call.path}`,
    headers: { "content-type": "application/json" },
    signal: AbortSignal.timeout(timeoutMs),
  });
  const answer = once(outgoing, "response").then(async ([response]) => {
    const text = (await buffer(response)).toString();
    if (response.statusCode >= 400) {
      throw new Error(`podman answered ${call.method} ${call.path} with ${text}`);
    }
    return text === "" ? undefined : JSON.parse(text);
  });
  return { outgoing, answer };
}
