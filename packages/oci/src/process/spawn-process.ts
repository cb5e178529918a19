/** Starts processes at a cost that does not grow with the agent's memory. */
import { closeSync } from "node:fs";
import { Socket } from "node:net";

import { libc, systemFailure } from "./libc.ts";

/**
 * One of the file descriptors that a process starts with.
 *
 *     null     /dev/null
 *     reads    the reading end of a pipe; the agent has the writing end
 *     writes   the writing end of a pipe; the agent has the reading end
 *     number   the agent's open file of that number
 */
export type Descriptor = "null" | "reads" | "writes" | number;

export interface SpawnOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  /** The process's descriptors, from 0 on. */
  readonly descriptors: readonly Descriptor[];
  /** Makes the process the leader of a new session, and so of a process group. */
  readonly session?: boolean;
}

export interface SpawnedProcess {
  readonly pid: number;
  /** The agent's ends of the pipes, by descriptor of the process. */
  readonly pipes: ReadonlyMap<number, Socket>;
  /** Waits for the process's end and frees its id. Until this is called, the id stays the process's own. */
  readonly reap: () => Promise<ExitStatus>;
}

export interface ExitStatus {
  /** Undefined when a signal ended the process. */
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
 * Starts a process.
 * @param file absolute path of the program
 * @throws PodfleetError RUNTIME_FAILED when it cannot be run; `details.errno` says why
 */
export function spawnProcess(
  file: string,
  args: readonly string[],
  options: SpawnOptions,
): SpawnedProcess {
  const pipes = new Map<number, Socket>();
  /** The process's ends of the pipes. */
  const given: number[] = [];
  const actions = Buffer.alloc(structBytes);
  const attributes = makeAttributes(options.session ?? false);
  libc.actionsInit(actions);
  try {
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

/** Has the process start with no signal blocked or ignored: Node ignores SIGPIPE, which programs in a container should not. */
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
  // Each source is first copied beyond all targets, so that none is overwritten before it has been passed on.
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

/** Opens a pipe between two processes that are yet to be spawned; both ends are to be closed then. No other process inherits it. */
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

/** Processes that someone waits for. Children that Node has started itself are not among them. */
const awaited = new Map<number, PromiseWithResolvers<ExitStatus>>();

/** Waits by SIGCHLD: waiting in a thread would block one of the few that Node has for files, for as long as a tool hangs. */
async function reap(pid: number): Promise<ExitStatus> {
  const end = Promise.withResolvers<ExitStatus>();
  if (awaited.size === 0) process.on("SIGCHLD", reapEnded);
  awaited.set(pid, end);
  reapEnded();
  return await end.promise;
}

/** Reaps each awaited process that has ended: one SIGCHLD may stand for several. */
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

/** Decodes the status of waitpid(2). */
function readStatus(status: number): ExitStatus {
  const signal = status & 0x7f;
  return signal === 0
    ? { exitCode: (status >> 8) & 0xff, signal: undefined }
    : { exitCode: undefined, signal };
}
