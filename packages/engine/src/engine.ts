import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";

import { systemClock } from "@podfleet/base/clock";
import type { Loop, LoopFailure, LoopStatus } from "@podfleet/base/loop";
import type { WorkQueue } from "@podfleet/base/work-queue";
import type { JournalPiece } from "@podfleet/journal/record/read";
import type { Artifact } from "@podfleet/model/artifact";
import type { HealthLog } from "@podfleet/model/container/healthcheck";
import type { ContainerPaths } from "@podfleet/model/container/record";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { ContainerProcess, ContainerUsage } from "@podfleet/model/container/usage";
import { PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";
import type { FileStat } from "@podfleet/model/file";
import type { ContainerId, OperationId } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import type { OperationOutcome } from "@podfleet/model/operation";
import type { TransferId, TransferRequest } from "@podfleet/model/transfer";
import { findMonitorPid } from "@podfleet/oci/monitor/pid-files";
import { identityOf } from "@podfleet/oci/process/process-identity";
import {
  type TransferPiece,
  type TransferRead,
  Transfers,
} from "@podfleet/storage/transfer/transfers";

import { type Assembly, assemble, type ProblemReport } from "./assembly.ts";
import type { EngineParts } from "./assembly/engine-parts.ts";
import { checkpointPaths } from "./checkpoint/checkpoint-paths.ts";
import { MonitorWatcher } from "./container/monitor-watcher.ts";
import { type HostContinuity, reconcile } from "./container/reconcile.ts";
import { resizeContainer } from "./container/resize.ts";
import { type WaitAnswer, type WaitRequest, waitForContainer } from "./container/wait.ts";
import type { EngineOptions } from "./engine-options.ts";
import { recoverExecs } from "./exec/exec-recovery.ts";
import type { ExecSessions } from "./exec/exec-sessions.ts";
import { EnginePaths } from "./host/engine-paths.ts";
import { type HostFacts, readBootId, readHostFacts } from "./host/facts.ts";
import { endLeftovers } from "./host/leftovers.ts";
import { Housekeeper } from "./housekeeper.ts";
import type {
  OperationRequest,
  OperationRunner,
  Settlement,
} from "./operation/operation-runner.ts";
import { type JournalRequest, type JournalSearch, OutputReader } from "./output/output-reader.ts";
import type { ContainerFiles } from "./rootfs/container-files.ts";
import { Sessions } from "./session/sessions.ts";
/**
 * A host's container engine: records in SQLite, containers by conmon and an OCI runtime, images and writable layers by overlay
 * mounts. It needs no network and no other service. Containers outlive it; the next engine on the same directories finds
 * them again.
 */
import { hasProcess } from "./state/container-process.ts";
import type { Outbox } from "./state/outbox.ts";
import { StateStore } from "./state/state-store.ts";
import { transferSource } from "./transfer-source.ts";

export interface ContainerInspection {
  readonly container: ContainerSnapshot;
  readonly spec: ContainerSpec;
  readonly asOf: string;
  /** Present for a container with a healthcheck. */
  readonly healthLog?: HealthLog;
  readonly paths: ContainerPaths;
}

export class Engine {
  /** The host's events, until someone else has stored them. */
  readonly outbox: Pick<Outbox, "lastSeq" | "after" | "commit" | "onAppend">;
  readonly execs: ExecSessions;
  readonly sessions: Sessions;
  readonly #parts: EngineParts;
  readonly #facts: HostFacts;
  readonly #runner: OperationRunner;
  readonly #output: OutputReader;
  readonly #transfers: Transfers;
  /** What goes on beside the calls, in the order in which it is ended. */
  readonly #activities: readonly { close(): Promise<void> }[];
  /** Background work. */
  readonly #loops: readonly (Loop | WorkQueue<ContainerId>)[];
  /** Files and watches, closed after that. */
  readonly #opened: DisposableStack;

  private constructor({ assembly, facts, problems, opened }: OpenEngine) {
    const { parts, reaper, restarts, health, runner } = assembly;
    this.outbox = parts.store.outbox;
    this.execs = parts.execSessions;
    const onLoopFailure = ({ name: loop, error }: LoopFailure): void => problems({ loop, error });
    this.sessions = new Sessions({
      ...{ ...parts, onLoopFailure },
      onFailure: (error) => problems({ error }),
    });
    this.#parts = parts;
    this.#facts = facts;
    this.#runner = runner;
    this.#output = new OutputReader(parts);
    this.#transfers = new Transfers({
      clock: parts.clock,
      onFailure: (error) => problems({ error }),
    });
    this.#opened = opened;
    const onGone = (id: ContainerId): void => parts.exits.wake(id);
    const monitorWatcher = new MonitorWatcher({ ...parts, onGone, onFailure: onLoopFailure });
    const housekeeper = new Housekeeper({ ...parts, uploads: parts.images.uploads }, onLoopFailure);
    this.#loops = [
      ...[this.sessions.loop, monitorWatcher.loop, parts.execWatcher.loop, housekeeper.loop],
      ...[health.loop, restarts.queue, reaper.queue, parts.journals.loop],
    ];
    this.#activities = [
      this.sessions,
      { close: async () => await this.#transfers.closeAll() },
      runner,
      monitorWatcher,
      housekeeper,
      health,
      restarts,
      reaper,
      parts.execWatcher,
      parts.journals,
    ];
  }

  /**
   * Opens the store, brings every record in line with what is there on the host, and carries on operations that an earlier
   * engine left without an outcome.
   * @throws PodfleetError INVALID_INPUT when another engine has the data root open; SCHEMA_TOO_NEW when a newer build has written
   * it; UNSUPPORTED when the host lacks what containers need
   */
  static async open(options: EngineOptions): Promise<Engine> {
    const problems = options.onProblem ?? (() => undefined);
    const clock = options.clock ?? systemClock;
    const paths = new EnginePaths(options);
    using opened = new DisposableStack();
    const store = StateStore.open(paths.database, clock);
    opened.defer(() => store.close());
    const bootId = await readBootId();
    const continuity = continuityOf(store, paths, bootId);
    if (continuity === "rebooted") await rm(options.runRoot, { recursive: true, force: true });
    const assembly = await assemble({ options, clock, paths, store, problems, opened });
    const { parts, reaper, runner } = assembly;
    const { cgroups, checkpointSupport } = parts;
    const [facts] = await Promise.all([
      readHostFacts(parts.runtime, { cgroupMode: cgroups.mode, bootId, checkpointSupport }),
      endLeftovers({
        clock,
        exitDirectory: paths.exits,
        runtimeRoot: paths.runtimeRoot,
        recordedPids: await recordedPids(store, paths),
      }),
    ]);
    await recoverExecs(parts, continuity);
    const untidy = await reconcile(parts, continuity);
    store.saveBootId(bootId);
    gatherMonitors(parts);
    const engine = new Engine({ assembly, facts, problems, opened: opened.move() });
    const resumed = runner.resume((id) => {
      if (untidy.has(id)) reaper.cleanUp(id);
    });
    for (const id of untidy) if (!resumed.has(id)) reaper.cleanUp(id);
    assembly.restarts.open();
    for (const loop of engine.#loops) loop.start();
    return engine;
  }

  /** Ends what goes on in the engine, not the containers. Operations under way get a few seconds to end. */
  async close(): Promise<void> {
    for (const activity of this.#activities) await activity.close();
    this.#opened.dispose();
  }

  /**
   * Performs an operation exactly once. Operating errors are failed outcomes. Asked again with the same id it returns the
   * stored outcome, or waits for it.
   * @throws PodfleetError CONFLICT when the id was used for another action; UNAVAILABLE when the engine is closing; INTERNAL
   */
  async perform(request: OperationRequest): Promise<OperationOutcome> {
    try {
      return await this.#runner.perform(request);
    } catch (error) {
      throw PodfleetError.from(error);
    }
  }

  /** What became of an operation; after `unknown` it never takes effect. */
  settle(operationId: OperationId): Settlement {
    return this.#runner.settle(operationId);
  }

  /** @throws PodfleetError CONTAINER_NOT_FOUND */
  async inspect(id: ContainerId): Promise<ContainerInspection> {
    const { clock, paths, storage, store } = this.#parts;
    const { snapshot, spec, healthLog } = store.get(id);
    const rootfs = storage.isMounted(id) ? { rootfs: storage.rootfsPath(id) } : {};
    const checkpoint = checkpointPaths(paths, snapshot);
    return {
      container: snapshot,
      spec,
      asOf: new Date(clock.nowMs()).toISOString(),
      ...(healthLog ? { healthLog } : {}),
      paths: { bundle: paths.bundle(id), journal: paths.journal(id), ...rootfs, ...checkpoint },
    };
  }

  /** How the engine's background work fares. */
  loops(): LoopStatus[] {
    return this.#loops.map(({ status }) => status);
  }

  /** All containers as last committed. */
  containers(): ContainerSnapshot[] {
    return this.#parts.store.list().map(({ snapshot }) => snapshot);
  }

  /**
   * Resolves when the condition is met, or with `pending` after `timeoutMs`; ask again with the same `run` then.
   * @throws PodfleetError CONTAINER_NOT_FOUND; CANCELLED when `signal` is aborted
   */
  async wait(request: WaitRequest, signal?: AbortSignal): Promise<WaitAnswer> {
    return await waitForContainer(this.#parts, request, signal);
  }

  /** See `OutputReader.locate`. */
  async locateJournal(search: JournalSearch): Promise<{ offset: number }> {
    return await this.#output.locate(search);
  }

  /** See `OutputReader.read`. */
  async readJournal(request: JournalRequest, signal?: AbortSignal): Promise<JournalPiece> {
    return await this.#output.read(request, signal);
  }

  /** Takes the next piece of an archive; returns the length that the upload has then. */
  async appendUploadChunk(
    uploadId: OperationId,
    offset: number,
    bytes: Uint8Array,
  ): Promise<{ length: number }> {
    return await this.#parts.images.uploads.append(uploadId, offset, bytes);
  }

  /** See `ContainerFiles.stat`. */
  async statPath(request: Parameters<ContainerFiles["stat"]>[0]): Promise<FileStat | undefined> {
    return await this.#parts.files.stat(request);
  }

  /** See `resizeContainer`. */
  async resize(id: ContainerId, size: TerminalSize): Promise<void> {
    await resizeContainer(this.#parts, id, size);
  }

  /** See `ContainerArtifacts.list`. */
  async artifacts(id: ContainerId): Promise<Artifact[]> {
    return await this.#parts.artifacts.list(id);
  }

  /** See `UsageReader.processes`. */
  async processes(id: ContainerId): Promise<ContainerProcess[]> {
    return await this.#parts.usage.processes(id);
  }

  /** See `UsageReader.usage`. */
  async usage(id: ContainerId): Promise<ContainerUsage> {
    return await this.#parts.usage.usage(id);
  }

  /**
   * Begins to send a stream of bytes.
   * @throws PodfleetError CONTAINER_NOT_FOUND, UNAVAILABLE, and what the kind of stream may fail with
   */
  async openTransfer(request: TransferRequest): Promise<{ transferId: TransferId }> {
    return { transferId: await this.#transfers.open(transferSource(this.#parts, request)) };
  }

  /** See `Transfers.read`. */
  async readTransfer(
    id: TransferId,
    range: TransferRead,
    signal: AbortSignal,
  ): Promise<TransferPiece> {
    return await this.#transfers.read(id, range, signal);
  }

  /** See `Transfers.close`. */
  async closeTransfer(id: TransferId): Promise<void> {
    await this.#transfers.close(id);
  }

  images(): Image[] {
    return this.#parts.images.list();
  }

  hostFacts(): HostFacts {
    return this.#facts;
  }
}

interface OpenEngine {
  readonly assembly: Assembly;
  readonly facts: HostFacts;
  readonly problems: ProblemReport;
  readonly opened: DisposableStack;
}

function continuityOf(store: StateStore, paths: EnginePaths, bootId: string): HostContinuity {
  const last = store.findBootId();
  if (last !== undefined && last !== bootId) return "rebooted";
  return last === undefined || existsSync(paths.exits) ? "same" : "lost";
}

/** Moves the monitors that an earlier engine started into their cgroup, if it ended before it did. */
function gatherMonitors({ execs, monitorCgroup, store }: EngineParts): void {
  const running = store.list().filter(({ snapshot }) => hasProcess(snapshot));
  const executing = execs.list().filter(({ session }) => session.state === "running");
  const monitors = [
    ...running.map(({ snapshot, processes }) =>
      identityOf(snapshot.monitorPid, processes.monitorStartTicks),
    ),
    ...executing.map(({ processes }) =>
      identityOf(processes.monitorPid, processes.monitorStartTicks),
    ),
  ];
  for (const monitor of monitors) if (monitor) monitorCgroup.joinSoon(monitor);
}

/** Process ids of containers and monitors on record, and of monitors whose restore may have ended without a commit. */
async function recordedPids(store: StateStore, paths: EnginePaths): Promise<Set<number>> {
  const pids = await Promise.all(
    store.list().map(async ({ snapshot, processes }) => {
      if (hasProcess(snapshot)) return [snapshot.monitorPid, snapshot.pid];
      return processes.restoring ? [await findMonitorPid(paths.bundle(snapshot.id))] : [];
    }),
  );
  return new Set(pids.flat().filter((pid) => pid !== undefined));
}
