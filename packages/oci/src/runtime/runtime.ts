/**
 * The OCI runtime: runc or crun. They share a command line, and differ in how they are invoked (crun.ts) and in the words of their
 * errors.
 *
 * A runtime keeps a directory for each container that it knows, named by the container's id, below the runtime's root. `delete` removes
 * it, and so does a reboot.
 */
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

import type { CgroupHierarchies } from "../cgroup/cgroup.ts";
import { type CommandResult, findTool, runCommand } from "../process/run-command.ts";
import type { RuntimeLimits } from "../spec/runtime-spec.ts";
import { crunInvocation, withoutNegativeQuota } from "./crun.ts";
import { reasonOf } from "./runtime-failure.ts";

export const runtimeNames = ["runc", "crun"] as const;
export type RuntimeName = (typeof runtimeNames)[number];

export const runtimeStatuses = ["created", "running", "paused", "stopped"] as const;
export type RuntimeStatus = (typeof runtimeStatuses)[number];

export interface RuntimeState {
  readonly status: RuntimeStatus;
  /** Process id on the host; 0 when the process has ended. */
  readonly pid: number;
}

export interface RuntimeOptions {
  readonly name: RuntimeName;
  /** The directory for the runtime's state, which a reboot empties. */
  readonly root: string;
  readonly cgroups: CgroupHierarchies;
  /** Directories to look for the runtime in before the usual ones. */
  readonly toolDirectories?: readonly string[] | undefined;
  /** See `OciRuntime.timeoutMs`; 30 s when absent. */
  readonly timeoutMs?: number | undefined;
}

/** Resources that CRIU saves and restores only when asked to. */
export interface CheckpointResources {
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
}

export interface RuntimeCheckpointOptions extends CheckpointResources {
  readonly imageDirectory: string;
  /** The directory for CRIU's log, `dump.log`, and its statistics. */
  readonly workDirectory: string;
  readonly leaveRunning: boolean;
}

const defaultTimeoutMs = 30_000;
const listAttemptsMax = 5;
/** Enough to write the memory of large processes to a slow disk. */
const checkpointTimeoutMs = 10 * 60_000;
const absentPattern = /container does not exist|No such file or directory/;
const endedPattern =
  /container not running|is not running|No such process|process already finished/;

const notPausedPattern = /not paused/;

const stateSchema = z.object({ status: z.enum(runtimeStatuses), pid: z.number().int().min(0) });
const listSchema = z
  .array(z.object({ ...stateSchema.shape, id: z.string() }))
  .nullable()
  .transform((rows) => rows ?? []);

/** Drives runc or crun by its command line. */
export class OciRuntime {
  readonly name: RuntimeName;
  /** The longest that a call may take, checkpoints aside. */
  readonly timeoutMs: number;
  /** The runtime's invocation: the path of an executable, and its first arguments. */
  readonly #command: readonly [string, ...string[]];
  readonly #root: string;

  constructor(options: RuntimeOptions) {
    this.name = options.name;
    this.timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    const path = findTool(options.name, options.toolDirectories);
    this.#command = options.name === "crun" ? crunInvocation(path, options.cgroups) : [path];
    this.#root = options.root;
  }

  async version(): Promise<string> {
    const { stdout } = await runCommand(this.name, ["--version"], {
      timeoutMs: this.timeoutMs,
      spanName: `${this.name} version`,
    });
    const version = /version (\S+)/.exec(stdout)?.[1];
    if (version !== undefined) return version;
    throw new PodfleetError("RUNTIME_FAILED", `Cannot read the version of "${this.name}"`);
  }

  /** Tells whether the runtime can use CRIU: runc always can, crun when it was built with CRIU. */
  async canUseCriu(): Promise<boolean> {
    if (this.name === "runc") return true;
    const { stdout } = await runCommand(this.name, ["--version"], {
      timeoutMs: this.timeoutMs,
      spanName: `${this.name} version`,
    });
    return stdout.includes("+CRIU");
  }

  /** Finds the container's state; undefined when the runtime does not know the container. */
  async state(id: string): Promise<RuntimeState | undefined> {
    if (!(await this.#knows(id))) return undefined;
    try {
      const { stdout } = await this.#run("state", [id]);
      return this.#parse(stateSchema, stdout);
    } catch (error) {
      if (isFailure(error, absentPattern)) return undefined;
      throw error;
    }
  }

  /** Starts the command of a created container. */
  async start(id: string): Promise<void> {
    await this.#run("start", [id]);
  }

  /** Sends a signal to the container's first process, or to all of its processes; does nothing when the process has ended. */
  async kill(id: string, signal: number, options: { readonly all?: boolean } = {}): Promise<void> {
    try {
      await this.#run("kill", [...(options.all ? ["--all"] : []), id, String(signal)]);
    } catch (error) {
      if (!isFailure(error, endedPattern)) throw error;
    }
  }

  /** Deletes the container, with `force` after killing it; does nothing when the runtime does not know it. */
  async delete(id: string, options: { readonly force?: boolean } = {}): Promise<void> {
    if (!(await this.#knows(id))) return;
    try {
      await this.#run("delete", [...(options.force ? ["--force"] : []), id]);
    } catch (error) {
      if (!isFailure(error, absentPattern)) throw error;
    }
  }

  /**
   * Has CRIU save the processes of a running container, and end them unless `leaveRunning`.
   * @throws PodfleetError RUNTIME_FAILED with the reason in CRIU's log; the processes run on then
   */
  async checkpoint(id: string, options: RuntimeCheckpointOptions): Promise<void> {
    const { imageDirectory, workDirectory, leaveRunning, ...resources } = options;
    const args = [
      ...["--image-path", imageDirectory, "--work-path", workDirectory],
      ...(leaveRunning ? ["--leave-running"] : []),
      ...resourceArguments(resources),
    ];
    await this.#run("checkpoint", [...args, id], checkpointTimeoutMs);
  }

  /** Freezes the container's processes. */
  async pause(id: string): Promise<void> {
    await this.#run("pause", [id]);
  }

  /** Thaws the container's processes; does nothing when they are not frozen. */
  async resume(id: string): Promise<void> {
    try {
      await this.#run("resume", [id]);
    } catch (error) {
      if (!isFailure(error, notPausedPattern)) throw error;
    }
  }

  /** Sets the limits of a container that has processes; passes them in a file in `bundle`. */
  async update(id: string, limits: RuntimeLimits, bundle: string): Promise<void> {
    const path = join(bundle, "resources.json");
    const resources = this.name === "crun" ? withoutNegativeQuota(limits) : limits;
    await writeFile(path, JSON.stringify(resources), { mode: 0o600 });
    await this.#run("update", ["--resources", path, id]);
  }

  async list(): Promise<ReadonlyArray<RuntimeState & { readonly id: string }>> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { stdout } = await this.#run("list", ["--format", "json"]);
        return this.#parse(listSchema, stdout);
      } catch (error) {
        // runc lists its directory first, and fails on a container that is deleted before it is read.
        if (attempt === listAttemptsMax || !isFailure(error, absentPattern)) throw error;
      }
    }
  }

  /** Builds the arguments that tell conmon how to invoke the runtime. */
  monitorArguments(): string[] {
    const [executable, ...rest] = this.#command;
    const args = [...rest, ...this.#globalArguments()];
    return ["--runtime", executable, ...args.flatMap((argument) => ["--runtime-arg", argument])];
  }

  #globalArguments(): string[] {
    return ["--root", this.#root, "--log-format", "json"];
  }

  async #knows(id: string): Promise<boolean> {
    try {
      await access(join(this.#root, id));
      return true;
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return false;
      throw error;
    }
  }

  async #run(
    subcommand: string,
    args: readonly string[],
    limitMs = this.timeoutMs,
  ): Promise<CommandResult> {
    const [file, ...rest] = this.#command;
    const argv = [...rest, ...this.#globalArguments(), subcommand, ...args];
    try {
      return await runCommand(file, argv, {
        timeoutMs: limitMs,
        spanName: `${this.name} ${subcommand}`,
        attributes: { "podfleet.runtime.name": this.name },
      });
    } catch (error) {
      if (!hasCode(error, "RUNTIME_FAILED")) throw error;
      const stderr = error.details?.["stderr"];
      const reason = (typeof stderr === "string" && reasonOf(stderr)) || error.message;
      throw new PodfleetError(
        "RUNTIME_FAILED",
        `Cannot ${subcommand} with ${this.name}: ${reason}`,
        {
          details: { reason },
          cause: error,
        },
      );
    }
  }

  #parse<T>(schema: z.ZodType<T>, text: string): T {
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      throw new PodfleetError("RUNTIME_FAILED", `Cannot read the answer of ${this.name}`, {
        details: { answer: text.slice(0, 1024) },
        cause: error,
      });
    }
  }
}

/** Builds the arguments that `checkpoint` and `restore` share. */
export function resourceArguments({ tcpEstablished, fileLocks }: CheckpointResources): string[] {
  return [...(tcpEstablished ? ["--tcp-established"] : []), ...(fileLocks ? ["--file-locks"] : [])];
}

function isFailure(error: unknown, pattern: RegExp): boolean {
  return hasCode(error, "RUNTIME_FAILED") && pattern.test(String(error.details?.["reason"]));
}
