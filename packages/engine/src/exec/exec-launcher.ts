import { closeSync, constants, openSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";

import type { Clock } from "@podfleet/base/clock";
import { type ExecSpec, firstExtraDescriptor } from "@podfleet/model/exec";
import type { ContainerId, ExecId } from "@podfleet/model/ids";
import type { HoldingCgroup } from "@podfleet/oci/cgroup/holding-cgroup";
import { execWithMonitor, findExecPids } from "@podfleet/oci/monitor/exec-monitor";
import type { MonitoredProcess } from "@podfleet/oci/monitor/monitor";
import { endProcess, findStartTicks, identityOf } from "@podfleet/oci/process/process-identity";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";

import type { EnginePaths } from "../host/engine-paths.ts";
import { type ExecProcessSources, writeExecProcess } from "./exec-process.ts";

/** The longest time from SIGKILL to the end of a process. */
const endTimeoutMs = 5_000;

export interface ExecLauncherParts extends ExecProcessSources {
  readonly clock: Clock;
  readonly paths: Pick<
    EnginePaths,
    "exec" | "execBundle" | "execDescriptor" | "execExits" | "execJournal"
  >;
  readonly runtime: Pick<OciRuntime, "monitorArguments" | "timeoutMs">;
  /** Path of conmon. */
  readonly monitorProgram: string;
  /** The cgroup that monitors run in. */
  readonly monitorCgroup: HoldingCgroup;
}

export interface ExecLaunch {
  readonly containerId: ContainerId;
  readonly execId: ExecId;
  readonly spec: ExecSpec;
}

/** Makes the files and processes of an exec session, and removes them. The session's record is its callers' business. */
export class ExecLauncher {
  readonly #parts: ExecLauncherParts;

  constructor(parts: ExecLauncherParts) {
    this.#parts = parts;
  }

  /**
   * Runs the command under a monitor of its own.
   * @throws PodfleetError see `execWithMonitor`; INVALID_INPUT for a user that the container does not have
   */
  async launch({ containerId, execId, spec }: ExecLaunch): Promise<MonitoredProcess> {
    const { paths, runtime, monitorProgram, monitorCgroup } = this.#parts;
    const bundle = paths.execBundle(execId);
    await Promise.all([
      mkdir(paths.exec(execId), { recursive: true, mode: 0o700 }),
      mkdir(paths.execExits(execId), { recursive: true, mode: 0o700 }),
    ]);
    using files = new DisposableStack();
    const descriptors = Array.from({ length: spec.preserveFds }, (_, position) => {
      const path = paths.execDescriptor(execId, firstExtraDescriptor + position);
      const { O_APPEND, O_CREAT, O_WRONLY } = constants;
      const file = openSync(path, O_WRONLY | O_APPEND | O_CREAT, 0o600);
      files.defer(() => closeSync(file));
      return file;
    });
    return await execWithMonitor({
      ...{ execId, containerId, spec, bundle, descriptors },
      exitDirectory: paths.execExits(execId),
      journal: paths.execJournal(execId),
      runtime,
      program: monitorProgram,
      cgroup: monitorCgroup,
      ready: writeExecProcess(this.#parts, { containerId, spec, bundle }),
    });
  }

  /** Ends the command of a launch that failed or was cut off, and removes the session's files. */
  async discard(id: ExecId): Promise<void> {
    const { clock, paths } = this.#parts;
    const bundle = paths.execBundle(id);
    const { pid } = await findExecPids(bundle);
    const process = identityOf(pid, pid && findStartTicks(pid));
    if (process) await endProcess(process, endTimeoutMs, clock);
    await Promise.all([
      rm(bundle, { recursive: true, force: true }),
      rm(paths.exec(id), { recursive: true, force: true }),
    ]);
  }
}
