/** Starting a process of the host at a cost that does not grow with the agent. */
import { closeSync } from "node:fs";
import { Socket } from "node:net";

import { libc, systemFailure } from "./libc.ts";

/**
 * What the process finds at one of its descriptors.
 *
 *     null     /dev/null
 *     reads    the reading end of a pipe whose other end is ours
 *     writes   the writing end of one
 *     number   that open file of ours
 */
export type Descriptor = "null" | "reads" | "writes" | number;

export interface SpawnOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  /** From descriptor 0 on. */
  readonly descriptors: readonly Descriptor[];
  /** It leads a session of its own, and so a process group. */
  readonly session?: boolean;
}

export interface SpawnedProcess {
  readonly pid: number;
  /** Our ends of the pipes, by descriptor. */
  readonly pipes: ReadonlyMap<number, Socket>;
  /** Resolves when it has ended, and frees its process id. Until it is called, the id stays the process's own. */
  readonly reap: () => Promise<ExitStatus>;
}

export interface ExitStatus {
  /** Absent when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: number | undefined;
}

/** Flags of <spawn.h> in glibc. */
const setSignalDefaults = 0x04;
const setSignalMask = 0x08;
const setSession = 0x80;
/** More than the size of posix_spawn_file_actions_t, posix_spawnattr_t and sigset_t on any Linux. */
const structBytes = 512;
/** WNOHANG of <sys/wait.h>. */
const withoutWaiting = 1;

/**
 * @param file absolute path
 * @throws PodfleetError RUNTIME_FAILED when it cannot be run; `details.errno` says why
 */
export function spawnProcess(
  file: string,
  args: readonly string[],
  options: SpawnOptions,
): SpawnedProcess {
  const pipes = new Map<number, Socket>();
  /** Ends of pipes that are the process's. */
  const given: number[] = [];
  const actions = Buffer.alloc(structBytes);
  const attributes = makeAttributes(options.session ?? false);
  libc.actionsInit(actions);
  try {
    // Beyond all targets, so that no descriptor is overwritten before it has been passed on.
    const sources = options.descriptors.map((descriptor, target) => {
      if (typeof descriptor === "number" || descriptor === "null") return descriptor;
      const { theirs, ours } = makePipe(descriptor);
      given.push(theirs);
      pipes.set(target, ours);
      return theirs;
    });
    addDescriptors(actions, sources);
    if (options.cwd !== undefined) libc.addChdir(actions, options.cwd);
    const pid: [number] = [0];
    const argv = [file, ...args, null];
    const envp = [...Object.entries(options.env).map(([name, value]) => `${name}=${value}`), null];
    const errno: number = libc.posixSpawn(pid, file, actions, attributes, argv, envp);
    if (errno !== 0) throw systemFailure(`run "${file}"`, errno);
    return { pid: pid[0], pipes, reap: async () => await reap(pid[0]) };
  } catch (error) {
    for (const pipe of pipes.values()) pipe.destroy();
    throw error;
  } finally {
    for (const descriptor of given) closeSync(descriptor);
    libc.actionsDestroy(actions);
    libc.attributesDestroy(attributes);
  }
}

/** It starts with every signal's default action and none blocked: Node ignores SIGPIPE, and what runs in a container should not. */
function makeAttributes(session: boolean): Buffer {
  const attributes = Buffer.alloc(structBytes);
  libc.attributesInit(attributes);
  libc.setFlags(attributes, setSignalDefaults | setSignalMask | (session ? setSession : 0));
  libc.setSignalDefaults(attributes, Buffer.alloc(structBytes, 0xff));
  libc.setSignalMask(attributes, Buffer.alloc(structBytes));
  return attributes;
}

function addDescriptors(actions: Buffer, sources: readonly (number | "null")[]): void {
  const { O_RDWR } = fileFlags;
  // Every source first goes out of the way of the targets.
  const spare = Math.max(sources.length, ...sources.filter((source) => source !== "null")) + 1;
  for (const [target, source] of sources.entries()) {
    if (source !== "null") libc.addDup2(actions, source, spare + target);
  }
  for (const [target, source] of sources.entries()) {
    if (source === "null") libc.addOpen(actions, target, "/dev/null", O_RDWR, 0);
    else libc.addDup2(actions, spare + target, target);
  }
  for (const [target, source] of sources.entries()) {
    if (source !== "null") libc.addClose(actions, spare + target);
  }
}

const fileFlags = { O_RDWR: 0o2, O_CLOEXEC: 0o2000000 } as const;

/** A pipe between two processes that are yet to be spawned: to be closed when they are. Others do not inherit it. */
export function openPipe(): [reading: number, writing: number] {
  const ends: [number, number] = [0, 0];
  if (libc.pipe2(ends, fileFlags.O_CLOEXEC) !== 0) throw systemFailure("make a pipe");
  return ends;
}

function makePipe(descriptor: "reads" | "writes"): { theirs: number; ours: Socket } {
  const [reading, writing] = openPipe();
  return descriptor === "reads"
    ? { theirs: reading, ours: new Socket({ fd: writing, readable: false, writable: true }) }
    : { theirs: writing, ours: new Socket({ fd: reading, readable: true, writable: false }) };
}

/** Processes whose end is waited for. Node's own children are not among them. */
const awaited = new Map<number, PromiseWithResolvers<ExitStatus>>();

/** A wait in a thread would keep one of the few that Node has for files, and a tool that hangs would keep it for long. */
async function reap(pid: number): Promise<ExitStatus> {
  const end = Promise.withResolvers<ExitStatus>();
  if (awaited.size === 0) process.on("SIGCHLD", reapEnded);
  awaited.set(pid, end);
  reapEnded();
  return await end.promise;
}

/** One signal may stand for several ends. */
function reapEnded(): void {
  for (const [pid, end] of awaited) {
    const status: [number] = [0];
    const ended = libc.waitpid(pid, status, withoutWaiting);
    if (ended === 0) continue;
    awaited.delete(pid);
    if (ended === pid) end.resolve(readStatus(status[0]));
    else end.reject(systemFailure(`wait for process ${pid}`));
  }
  if (awaited.size === 0) process.off("SIGCHLD", reapEnded);
}

/** The encoding of waitpid(2). */
function readStatus(status: number): ExitStatus {
  const signal = status & 0x7f;
  return signal === 0
    ? { exitCode: (status >> 8) & 0xff, signal: undefined }
    : { exitCode: undefined, signal };
}
