/**
 * Runs of healthchecks' commands in their containers. A run is an exec session without a record, as only its result matters. When the engine
 * ends meanwhile, the monitor ends the command after its time, and the result is lost: each engine has a directory of its own.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import type { Clock } from "@podfleet/base/clock";
import { parseJournal } from "@podfleet/base/journal-record";
import type { Healthcheck, HealthResult } from "@podfleet/model/container/healthcheck";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import { execSpecSchema } from "@podfleet/model/exec";
import { type ContainerId, execIdSchema } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import type { HoldingCgroup } from "@podfleet/oci/cgroup/holding-cgroup";
import { execWithMonitor } from "@podfleet/oci/monitor/exec-monitor";
import type { MonitoredProcess } from "@podfleet/oci/monitor/monitor";
import { endProcess, findStartTicks, identityOf } from "@podfleet/oci/process/process-identity";
import { traced } from "@podfleet/oci/process/trace";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";

import type { ContainerSync } from "../container/container-sync.ts";
import { ExitWatcher } from "../container/exit-watcher.ts";
import { type ExecProcessSources, writeExecProcess } from "../exec/exec-process.ts";
import { execMsMax } from "../exec/exec-start.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";

/** Characters of output that are kept, as in podman. */
const outputMax = 500;
/** The longest time from the end of the command to its exit file. */
const reportTimeoutMs = 5_000;
/** Time that the monitor, whose timer is for a command that outlives its engine, grants beyond the healthcheck's. */
const monitorGraceSeconds = 5;

export interface HealthProbeParts extends ExecProcessSources {
  /** The directory for the files of healthchecks; those that an earlier engine has left are deleted. */
  readonly directory: string;
  readonly clock: Clock;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
  readonly runtime: Pick<OciRuntime, "monitorArguments" | "timeoutMs">;
  /** Path of conmon. */
  readonly monitorProgram: string;
  /** The cgroup that monitors run in. */
  readonly monitorCgroup: HoldingCgroup;
  readonly onFailure: (error: unknown) => void;
}

export class HealthProbe {
  readonly #parts: HealthProbeParts;
  readonly #directory: string;
  readonly #exitDirectory: string;
  readonly #exits: ExitWatcher;
  readonly #underWay = new Map<ContainerId, Promise<HealthResult>>();
  readonly #closing = new AbortController();

  constructor(parts: HealthProbeParts) {
    const { directory, clock, onFailure } = parts;
    this.#parts = parts;
    rmSync(directory, { recursive: true, force: true });
    this.#directory = join(directory, randomUUID());
    this.#exitDirectory = join(this.#directory, "exits");
    mkdirSync(this.#exitDirectory, { recursive: true, mode: 0o700 });
    this.#exits = new ExitWatcher({
      directory: this.#exitDirectory,
      clock,
      onExit: () => undefined,
      onFailure,
    });
  }

  /** Stops waiting for commands; their monitors end them. */
  close(): void {
    this.#closing.abort();
    this.#exits.close();
  }

  /**
   * Runs the command to its end, or joins a run that is under way. A command that cannot be run, or does not end in time, is a
   * result too.
   * @throws PodfleetError STATE_INVALID unless the container runs; INVALID_INPUT when it has no healthcheck; LOCK_TIMEOUT;
   * CANCELLED when the engine closes
   */
  async run(id: ContainerId): Promise<HealthResult> {
    const check =
      this.#underWay.get(id) ??
      traced("container.healthcheck", { "podfleet.container.id": id }, async () =>
        this.#run(id),
      ).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, check);
    return await check;
  }

  async #run(id: ContainerId): Promise<HealthResult> {
    const { clock, locks } = this.#parts;
    const bundle = join(this.#directory, id);
    const startedMs = clock.nowMs();
    try {
      this.#exits.forget(id);
      await rm(bundle, { recursive: true, force: true });
      await mkdir(bundle, { recursive: true, mode: 0o700 });
      const request = { purpose: "container.healthcheck", holdMsMax: execMsMax };
      const { process, timeoutMs } = await locks.run(id, request, async () => {
        const healthcheck = await this.#checkableLocked(id);
        const process = await this.#startLocked({ id, bundle, healthcheck });
        return { process, timeoutMs: healthcheck.timeoutMs };
      });
      const exitCode = await this.#end(id, { process, timeoutMs });
      const output = await readOutput(join(bundle, "journal"));
      const why = exitCode === undefined ? `no end within ${timeoutMs} ms` : "";
      return resultOf(clock, startedMs, { exitCode, output: output || why });
    } catch (error) {
      if (!isResult(error)) throw error;
      return resultOf(clock, startedMs, { exitCode: undefined, output: error.message });
    } finally {
      this.#exits.forget(id);
      await rm(bundle, { recursive: true, force: true });
    }
  }

  /** @throws PodfleetError STATE_INVALID, INVALID_INPUT */
  async #checkableLocked(id: ContainerId): Promise<Healthcheck> {
    const { store, sync } = this.#parts;
    await sync.syncLocked(id);
    const { snapshot, spec } = store.get(id);
    if (!spec.healthcheck) {
      throw new PodfleetError(
        "INVALID_INPUT",
        `Cannot check the health of container "${snapshot.name}": it was created without a healthcheck`,
        { details: { field: "container", container: snapshot.name } },
      );
    }
    assertAllowed("healthcheck", snapshot);
    return spec.healthcheck;
  }

  async #startLocked(run: {
    readonly id: ContainerId;
    readonly bundle: string;
    readonly healthcheck: Healthcheck;
  }): Promise<MonitoredProcess> {
    const { monitorCgroup, monitorProgram, runtime } = this.#parts;
    const { id, bundle, healthcheck } = run;
    const timeoutSeconds = Math.ceil(healthcheck.timeoutMs / 1_000) + monitorGraceSeconds;
    const spec = execSpecSchema.parse({ command: healthcheck.command, timeoutSeconds });
    return await execWithMonitor({
      ...{ containerId: id, spec, bundle, descriptors: [] },
      execId: execIdSchema.parse(randomBytes(32).toString("hex")),
      exitDirectory: this.#exitDirectory,
      journal: join(bundle, "journal"),
      runtime,
      program: monitorProgram,
      cgroup: monitorCgroup,
      ready: writeExecProcess(this.#parts, { containerId: id, spec, bundle }),
    });
  }

  /** Waits for the command's exit code; undefined when the command had to be killed, or the code is not known. */
  async #end(
    id: ContainerId,
    { process, timeoutMs }: { readonly process: MonitoredProcess; readonly timeoutMs: number },
  ): Promise<number | undefined> {
    const { clock } = this.#parts;
    const [command, monitor] = [process.pid, process.monitorPid].map((pid) =>
      identityOf(pid, findStartTicks(pid)),
    );
    if (await this.#exits.wait(id, timeoutMs, this.#closing.signal)) {
      return this.#exits.find(id)?.exitCode;
    }
    if (this.#closing.signal.aborted) throw closing(id);
    if (command) await endProcess(command, reportTimeoutMs, clock);
    if (!(await this.#exits.wait(id, reportTimeoutMs)) && monitor) {
      await endProcess(monitor, reportTimeoutMs, clock);
    }
    return undefined;
  }
}

/** Tells whether the failure is about the command, rather than about the container or the engine. */
function isResult(error: unknown): error is PodfleetError {
  return hasCode(
    error,
    "COMMAND_NOT_FOUND",
    "COMMAND_NOT_EXECUTABLE",
    "RUNTIME_FAILED",
    "RUNTIME_TIMEOUT",
  );
}

async function readOutput(journal: string): Promise<string> {
  const records = [...parseJournal(await readFile(journal))];
  const lines = records.map(({ payload, endsLine }) => {
    return `${Buffer.from(payload).toString()}${endsLine ? "\n" : ""}`;
  });
  return lines.join("").trimEnd().slice(0, outputMax);
}

function resultOf(
  clock: Clock,
  startedMs: number,
  { exitCode, output }: { readonly exitCode: number | undefined; readonly output: string },
): HealthResult {
  return {
    startedAt: new Date(startedMs).toISOString(),
    finishedAt: new Date(clock.nowMs()).toISOString(),
    ...(exitCode === undefined ? {} : { exitCode }),
    output,
  };
}

function closing(id: ContainerId): PodfleetError {
  return new PodfleetError(
    "CANCELLED",
    `Stopped checking the health of container "${id}": the engine is closing`,
  );
}
