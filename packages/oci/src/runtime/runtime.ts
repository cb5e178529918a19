/**
 * The OCI runtime: runc or crun. Both have one command line, so one class drives both; they differ in how they are
 * invoked (see `crunInvocation`) and in the words of their errors.
 *
 * A container known to a runtime has a directory of its id below the runtime's root. The runtime removes it on
 * `delete` and the host loses it at reboot.
 */
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

import type { CgroupHierarchies } from "../cgroup/cgroup.ts";
import { type CommandResult, findTool, runCommand } from "../process/run-command.ts";
import type { RuntimeLimits } from "../spec/runtime-spec.ts";
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
  /** Where the runtime keeps its state; lost at reboot. */
  readonly root: string;
  readonly cgroups: CgroupHierarchies;
  /** Where it is looked for first. */
  readonly toolDirectories?: readonly string[] | undefined;
  /** See `OciRuntime.timeoutMs`; 30 s when absent. */
  readonly timeoutMs?: number | undefined;
}

/** What CRIU saves and revives only when told to. */
export interface CheckpointKinds {
  readonly tcpEstablished: boolean;
  readonly fileLocks: boolean;
}

export interface RuntimeCheckpointOptions extends CheckpointKinds {
  readonly imageDirectory: string;
  /** Where CRIU writes its log, `dump.log`, and its statistics. */
  readonly workDirectory: string;
  readonly leaveRunning: boolean;
}

const defaultTimeoutMs = 30_000;
const listAttemptsMax = 5;
/** Writing the memory of large processes to a slow disk takes its time. */
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

/** The command line that runc and crun share. */
export class OciRuntime {
  readonly name: RuntimeName;
  /** The longest that a call may take, other than one that writes a checkpoint. */
  readonly timeoutMs: number;
  /** How it is invoked: the path of an executable, and its first arguments. */
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

  /** Whether it can have CRIU save and revive processes. runc always can; crun when it was built with it. */
  async canUseCriu(): Promise<boolean> {
    if (this.name === "runc") return true;
    const { stdout } = await runCommand(this.name, ["--version"], {
      timeoutMs: this.timeoutMs,
      spanName: `${this.name} version`,
    });
    return stdout.includes("+CRIU");
  }

  /** undefined when the runtime does not know the container. */
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

  /** Lets the command of a created container run. */
  async start(id: string): Promise<void> {
    await this.#run("start", [id]);
  }

  /** Harmless when the process has ended already. `all` reaches each process of the container. */
  async kill(id: string, signal: number, options: { readonly all?: boolean } = {}): Promise<void> {
    try {
      await this.#run("kill", [...(options.all ? ["--all"] : []), id, String(signal)]);
    } catch (error) {
      if (!isFailure(error, endedPattern)) throw error;
    }
  }

  /** Harmless when the runtime does not know the container. `force` kills it first. */
  async delete(id: string, options: { readonly force?: boolean } = {}): Promise<void> {
    if (!(await this.#knows(id))) return;
    try {
      await this.#run("delete", [...(options.force ? ["--force"] : []), id]);
    } catch (error) {
      if (!isFailure(error, absentPattern)) throw error;
    }
  }

  /**
   * Has CRIU save the processes of a running container; they end then, unless they are to be left running.
   * @throws PodfleetError RUNTIME_FAILED; CRIU's log says why, and the processes go on
   */
  async checkpoint(id: string, options: RuntimeCheckpointOptions): Promise<void> {
    const { imageDirectory, workDirectory, leaveRunning, ...kinds } = options;
    const args = [
      ...["--image-path", imageDirectory, "--work-path", workDirectory],
      ...(leaveRunning ? ["--leave-running"] : []),
      ...resourceArguments(kinds),
    ];
    await this.#run("checkpoint", [...args, id], checkpointTimeoutMs);
  }

  /** Freezes each process of the container. */
  async pause(id: string): Promise<void> {
    await this.#run("pause", [id]);
  }

  /** Harmless when nothing is frozen. */
  async resume(id: string): Promise<void> {
    try {
      await this.#run("resume", [id]);
    } catch (error) {
      if (!isFailure(error, notPausedPattern)) throw error;
    }
  }

  /** Sets the limits of a container that has processes; the runtime is told of them through a file in `bundle`. */
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
        // runc reads its directory first, and gives up on a container that is deleted before its turn comes.
        if (attempt === listAttemptsMax || !isFailure(error, absentPattern)) throw error;
      }
    }
  }

  /** How the monitor is told to invoke the runtime. */
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
      throw new PodfleetError("RUNTIME_FAILED", `Cannot read what ${this.name} answered`, {
        details: { answer: text.slice(0, 1024) },
        cause: error,
      });
    }
  }
}

/** The same of `checkpoint` and of `restore`. */
export function resourceArguments({ tcpEstablished, fileLocks }: CheckpointKinds): string[] {
  return [...(tcpEstablished ? ["--tcp-established"] : []), ...(fileLocks ? ["--file-locks"] : [])];
}

/**
 * crun up to 1.8 refuses a hybrid host whose cgroup v2 tree owns a controller, though it needs none of it. It runs in a
 * mount namespace of its own where that tree is not mounted.
 */
function crunInvocation(path: string, cgroups: CgroupHierarchies): [string, ...string[]] {
  const { unified } = cgroups;
  if (cgroups.mode !== "hybrid" || unified === undefined || unified.controllers.length === 0) {
    return [path];
  }
  const script = 'umount "$1" && shift && exec "$0" "$@"';
  const shell = ["sh", "-c", script, path, unified.directory];
  return [findTool("unshare"), "--mount", "--propagation", "slave", ...shell];
}

/** crun up to 1.8 takes the quota that says "no limit" for a huge number, which the kernel refuses. */
function withoutNegativeQuota({ cpu, ...others }: RuntimeLimits): RuntimeLimits {
  if (cpu?.quota !== -1) return { ...(cpu && { cpu }), ...others };
  return { cpu: { ...cpu, quota: cpusMax * (cpu.period ?? periodUsDefault) }, ...others };
}

/** More than any kernel knows. */
const cpusMax = 8192;
const periodUsDefault = 100_000;

function isFailure(error: unknown, pattern: RegExp): boolean {
  return hasCode(error, "RUNTIME_FAILED") && pattern.test(String(error.details?.["reason"]));
}
