/**
 * Runs a healthcheck's command in its container: an exec session that is on no record, as its result is all that matters. Its monitor
 * ends the command when its time is up and the engine is no more; what it says then goes nowhere, as each engine has a
 * directory of its own for it.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import type { Clock } from "@podfleet/base/clock";
import { parseJournal } from "@podfleet/base/journal-record";
import type { Healthcheck, HealthResult } from "@podfleet/model/container/healthcheck";
import { assertAllowed } from "@podfleet/model/container/state";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import { execSpecSchema } from "@podfleet/model/exec";
import { type ContainerId, execIdSchema } from "@podfleet/model/ids";
import { execWithMonitor } from "@podfleet/oci/monitor/exec-monitor";
import type { MonitoredProcess } from "@podfleet/oci/monitor/monitor";
import { endProcess, findStartTicks, identityOf } from "@podfleet/oci/process/process-identity";
import { traced } from "@podfleet/oci/process/trace";

import type { EngineParts } from "../container/engine-parts.ts";
import { ExitWatcher } from "../container/exit-watcher.ts";
import { writeExecProcess } from "../exec/exec-process.ts";
import { execMsMax } from "../exec/exec-start.ts";

/** Characters of output that are kept, as podman does. */
const outputMax = 500;
/** From the end of the command to the monitor's word of it. */
const reportTimeoutMs = 5_000;
/** The monitor's timer is for a command that outlives its engine. */
const monitorGraceSeconds = 5;

export interface HealthProbeOptions {
  /** Where healthchecks run; what an earlier engine left in it goes. */
  readonly directory: string;
  readonly clock: Clock;
}

export class HealthProbe {
  readonly #directory: string;
  readonly #exitDirectory: string;
  readonly #exits: ExitWatcher;
  readonly #underWay = new Map<ContainerId, Promise<HealthResult>>();
  readonly #closing = new AbortController();

  constructor({ directory, clock }: HealthProbeOptions) {
    rmSync(directory, { recursive: true, force: true });
    this.#directory = join(directory, randomUUID());
    this.#exitDirectory = join(this.#directory, "exits");
    mkdirSync(this.#exitDirectory, { recursive: true, mode: 0o700 });
    this.#exits = new ExitWatcher({
      directory: this.#exitDirectory,
      clock,
      onExit: () => undefined,
    });
  }

  /** Leaves the commands that run to their monitors. */
  close(): void {
    this.#closing.abort();
    this.#exits.close();
  }

  /**
   * Runs the command to its end, or takes part in a check that is under way. A command that cannot be run, or does not end in
   * time, is a result too.
   * @throws PodfleetError STATE_INVALID unless the container runs; INVALID_INPUT when it has no healthcheck; LOCK_TIMEOUT;
   * CANCELLED when the engine closes
   */
  async check(parts: EngineParts, id: ContainerId): Promise<HealthResult> {
    const check =
      this.#underWay.get(id) ??
      traced("container.healthcheck", { "podfleet.container.id": id }, async () =>
        this.#check(parts, id),
      ).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, check);
    return await check;
  }

  async #check(parts: EngineParts, id: ContainerId): Promise<HealthResult> {
    const bundle = join(this.#directory, id);
    const startedMs = parts.clock.nowMs();
    try {
      this.#exits.forget(id);
      await rm(bundle, { recursive: true, force: true });
      await mkdir(bundle, { recursive: true, mode: 0o700 });
      const request = { purpose: "container.healthcheck", holdMsMax: execMsMax };
      const { process, timeoutMs } = await parts.locks.run(id, request, async () => {
        const healthcheck = await checkableLocked(parts, id);
        const process = await this.#startLocked(parts, { id, bundle, healthcheck });
        return { process, timeoutMs: healthcheck.timeoutMs };
      });
      const exitCode = await this.#end(parts, id, { process, timeoutMs });
      const output = await readOutput(join(bundle, "journal"));
      const why = exitCode === undefined ? `no end within ${timeoutMs} ms` : "";
      return resultOf(parts, startedMs, { exitCode, output: output || why });
    } catch (error) {
      if (!isResult(error)) throw error;
      return resultOf(parts, startedMs, { exitCode: undefined, output: error.message });
    } finally {
      this.#exits.forget(id);
      await rm(bundle, { recursive: true, force: true });
    }
  }

  async #startLocked(
    parts: EngineParts,
    run: {
      readonly id: ContainerId;
      readonly bundle: string;
      readonly healthcheck: Healthcheck;
    },
  ): Promise<MonitoredProcess> {
    const { id, bundle, healthcheck } = run;
    const timeoutSeconds = Math.ceil(healthcheck.timeoutMs / 1_000) + monitorGraceSeconds;
    const spec = execSpecSchema.parse({ command: healthcheck.command, timeoutSeconds });
    return await execWithMonitor({
      ...{ containerId: id, spec, bundle, descriptors: [] },
      execId: execIdSchema.parse(randomBytes(32).toString("hex")),
      exitDirectory: this.#exitDirectory,
      journal: join(bundle, "journal"),
      runtime: parts.runtime,
      program: parts.monitorProgram,
      cgroup: parts.monitorCgroup,
      ready: writeExecProcess(parts, { containerId: id, spec, bundle }),
    });
  }

  /** The command's exit code; undefined when it had to be killed, or nobody knows it. */
  async #end(
    { clock }: EngineParts,
    id: ContainerId,
    { process, timeoutMs }: { readonly process: MonitoredProcess; readonly timeoutMs: number },
  ): Promise<number | undefined> {
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

/** @throws PodfleetError STATE_INVALID, INVALID_INPUT */
async function checkableLocked(parts: EngineParts, id: ContainerId): Promise<Healthcheck> {
  await parts.sync.syncLocked(id);
  const { snapshot, spec } = parts.store.get(id);
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

/** Whether the failure says something about the command, rather than about the container or the engine. */
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
  { clock }: EngineParts,
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
