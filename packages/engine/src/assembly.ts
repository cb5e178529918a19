/** The parts of an engine, made for each other. */
import { mkdir } from "node:fs/promises";

import type { Clock } from "@podfleet/base/clock";
import type { LoopFailure } from "@podfleet/base/loop";
import { journalBytesMaxDefault, JournalRetention } from "@podfleet/journal/retention/retention";
import type { Action } from "@podfleet/model/action";
import { type ContainerId, newOperationId } from "@podfleet/model/ids";
import { readCgroupHierarchies } from "@podfleet/oci/cgroup/cgroup";
import { HoldingCgroup } from "@podfleet/oci/cgroup/holding-cgroup";
import { readHostLimits } from "@podfleet/oci/host/host-limits";
import { monitor } from "@podfleet/oci/monitor/monitor-launch";
import { findTool } from "@podfleet/oci/process/run-command";
import { OciRuntime } from "@podfleet/oci/runtime/runtime";
import { ImageStore } from "@podfleet/storage/image/image-store";
import { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";
import { IsolatedTar } from "@podfleet/storage/rootfs/isolated-tar";

import { ContainerArtifacts } from "./artifact/container-artifacts.ts";
import { assembleContainers } from "./assembly/containers.ts";
import type { EngineParts } from "./assembly/engine-parts.ts";
import { lockingMethods, stepMethods } from "./assembly/verbs.ts";
import { CheckpointFiles, type CheckpointFileParts } from "./checkpoint/checkpoint-files.ts";
import { ContainerCheckpoint, type CheckpointParts } from "./checkpoint/container-checkpoint.ts";
import { ContainerImport, type ImportParts } from "./checkpoint/container-import.ts";
import { ContainerRestore, type RestoreParts } from "./checkpoint/container-restore.ts";
import { ProcessDump, type ProcessDumpParts } from "./checkpoint/process-dump.ts";
import { ExitWatcher } from "./container/exit-watcher.ts";
import { Reaper } from "./container/reaper.ts";
import { RestartScheduler } from "./container/restart-scheduler.ts";
import type { EngineOptions, EngineProblem } from "./engine-options.ts";
import { containerExecs } from "./exec/container-execs.ts";
import { ExecControl, type ExecControlParts } from "./exec/exec-control.ts";
import { ExecLauncher, type ExecLauncherParts } from "./exec/exec-launcher.ts";
import { ExecSessions, type ExecSessionsParts } from "./exec/exec-sessions.ts";
import { ExecStart, type ExecStartParts } from "./exec/exec-start.ts";
import { ExecStep, type ExecStepParts } from "./exec/exec-step.ts";
import { ExecWatcher } from "./exec/exec-watcher.ts";
import { HealthCheck } from "./health/health-check.ts";
import { HealthProbe } from "./health/health-probe.ts";
import { HealthScheduler } from "./health/health-scheduler.ts";
import { readCheckpointSupport } from "./host/checkpoint-support.ts";
import type { EnginePaths } from "./host/engine-paths.ts";
import { ImageLoading } from "./image/image-loading.ts";
import { ContainerLocks } from "./lock/container-locks.ts";
import { Batch } from "./operation/batch.ts";
import { Dispatch } from "./operation/dispatch.ts";
import { OperationRunner } from "./operation/operation-runner.ts";
import { Steps } from "./operation/steps.ts";
import { growingJournals, type GrowingJournalSources } from "./output/growing-journals.ts";
import { ContainerFiles } from "./rootfs/container-files.ts";
import { RootfsAccess } from "./rootfs/rootfs-access.ts";
import { RootfsStreams } from "./rootfs/rootfs-streams.ts";
import { RootfsUses } from "./rootfs/rootfs-uses.ts";
import { ExecStore } from "./state/exec-store.ts";
import { SessionStore } from "./state/session-store.ts";
import type { StateStore } from "./state/state-store.ts";
import { UsageReader } from "./usage/usage-reader.ts";

export type ProblemReport = (problem: EngineProblem) => void;

export interface Assembly {
  readonly parts: EngineParts;
  readonly reaper: Reaper;
  readonly restarts: RestartScheduler;
  readonly health: HealthScheduler;
  readonly runner: OperationRunner;
}

interface Foundation {
  readonly options: EngineOptions;
  readonly clock: Clock;
  readonly paths: EnginePaths;
  readonly store: StateStore;
  readonly problems: ProblemReport;
  /** Resources that close with the engine are added here. */
  readonly opened: DisposableStack;
}

/** Makes the directories too. @throws PodfleetError UNSUPPORTED when the host lacks what containers need */
export async function assemble({ options, opened, ...base }: Foundation): Promise<Assembly> {
  const { clock, paths, store, problems } = base;
  const host = await openHost({ options, clock, paths, problems });
  const { images } = host;
  const onExit = (id: ContainerId): void => reaper.exited(id);
  const exits = new ExitWatcher({ directory: paths.exits, clock, onExit });
  opened.defer(() => exits.close());
  const execs = new ExecStore(store);
  const onLoopFailure = ({ name: loop, error }: LoopFailure): void => problems({ loop, error });
  const execWatcher = new ExecWatcher({ clock, paths, execs, onFailure: onLoopFailure });
  const sessions = new SessionStore(store);
  const ground = {
    ...{ clock, paths, store, exits, sessions, execs, execWatcher },
    ...host,
    locks: new ContainerLocks(clock),
    storage: new ContainerStorage(paths.containers, images),
    rootfsUses: new RootfsUses(),
    cgroupParent: options.cgroupParent,
    containerExecs: containerExecs(execs, execWatcher),
  };
  const containers = assembleContainers({
    ...ground,
    terminalSizes: sessions,
    restartLater: (id) => restarts.schedule(id),
  });
  const healthProbe = new HealthProbe({ ...ground, ...containers, directory: paths.health });
  const performLater = (action: Action): void => {
    const operationId = newOperationId();
    runner
      .perform({ operationId, action })
      .catch((error: unknown) => problems({ error, operationId }));
  };
  const checkpointSupport = readCheckpointSupport(host.runtime);
  const parts: EngineParts = {
    ...ground,
    ...containers,
    ...assembleExecs({ ...ground, sync: containers.sync }),
    journals: boundJournals({ clock, execs, paths, store }, options, onLoopFailure),
    ...assembleFiles({ ...ground, cleanup: containers.cleanup }),
    usage: new UsageReader(ground),
    checkpointSupport,
    ...assembleCheckpoints({
      ...{ ...ground, ...containers, checkpointSupport },
      uploads: images.uploads,
    }),
    cleanUpLater: (id) => reaper.cleanUp(id),
    healthCheck: new HealthCheck({ ...ground, ...containers, healthProbe, performLater }),
    healthProbe,
    performLater,
  };
  const onFailure = (error: unknown, containerId: ContainerId): void =>
    problems({ error, containerId });
  const reaper = new Reaper({ parts, onFailure });
  const restarts = new RestartScheduler({ parts, onFailure });
  const steps = new Steps(stepMethods(parts), store);
  const methods = lockingMethods(parts, new Batch({ ...parts, steps }));
  const runner = new OperationRunner({
    ...{ clock, store },
    dispatch: new Dispatch({ ...parts, steps, methods }),
    onDefect: (error, operationId) => problems({ error, operationId }),
  });
  const health = new HealthScheduler({
    ...parts,
    onFailure: onLoopFailure,
    onUnchecked: onFailure,
  });
  return { parts, reaper, restarts, health, runner };
}

type ExecMethodParts = Omit<
  ExecLauncherParts & ExecStartParts & ExecStepParts & ExecControlParts & ExecSessionsParts,
  "launcher" | "execSessions" | "execStart"
>;

function assembleExecs(parts: ExecMethodParts) {
  const launcher = new ExecLauncher(parts);
  const execStart = new ExecStart({ ...parts, launcher });
  const execSessions = new ExecSessions(parts);
  const execStep = new ExecStep({ ...parts, execStart, execSessions });
  return { execStart, execStep, execSessions, execControl: new ExecControl(parts) };
}

type CheckpointGround = CheckpointFileParts &
  Omit<ProcessDumpParts & CheckpointParts, "dump" | "files"> &
  RestoreParts &
  Omit<ImportParts, "containerRestore">;

function assembleCheckpoints(ground: CheckpointGround) {
  const files = new CheckpointFiles(ground);
  const dump = new ProcessDump({ ...ground, files });
  const containerRestore = new ContainerRestore(ground);
  return {
    containerCheckpoint: new ContainerCheckpoint({ ...ground, files, dump }),
    containerImport: new ContainerImport({ ...ground, containerRestore }),
    containerRestore,
  };
}

interface FileFoundation extends Pick<EngineParts, "cleanup" | "locks" | "storage" | "store"> {
  readonly paths: EnginePaths;
  readonly images: ImageStore;
  readonly rootfsUses: RootfsUses;
}

/** The parts that work on files of containers and on images. */
function assembleFiles({ images, paths, rootfsUses, ...parts }: FileFoundation) {
  const { cleanup, locks, storage, store } = parts;
  const { uploads } = images;
  const access = new RootfsAccess({ locks, store, storage, uses: rootfsUses, cleanup });
  const tar = new IsolatedTar(paths.tarRoot);
  return {
    artifacts: new ContainerArtifacts({ locks, paths, store, uploads }),
    files: new ContainerFiles({ access, tar, locks, store, uploads, storage, cleanup }),
    imageLoading: new ImageLoading({ images, store }),
    rootfsStreams: new RootfsStreams({ access, tar, store, storage }),
  };
}

/** The engine's directories, the host's cgroups and limits, the OCI runtime and the images. */
async function openHost(foundation: Omit<Foundation, "opened" | "store">) {
  const { options, clock, paths, problems } = foundation;
  await mkdir(paths.journals, { recursive: true, mode: 0o700 });
  await mkdir(paths.execs, { recursive: true, mode: 0o700 });
  await mkdir(paths.execBundles, { recursive: true, mode: 0o700 });
  await mkdir(paths.runtimeRoot, { recursive: true, mode: 0o700 });
  const cgroups = await readCgroupHierarchies();
  const hostLimits = await readHostLimits(cgroups);
  const runtime = new OciRuntime({
    name: options.runtime,
    root: paths.runtimeRoot,
    cgroups,
    toolDirectories: options.toolDirectories,
    timeoutMs: options.runtimeTimeoutMs,
  });
  const images = await ImageStore.open(paths.images, clock);
  const monitorProgram = findTool(monitor, options.toolDirectories);
  const monitorCgroup = new HoldingCgroup({
    cgroups,
    path: `${options.cgroupParent}-monitors`,
    onFailure: (error) => problems({ error }),
  });
  return { cgroups, hostLimits, runtime, images, monitorProgram, monitorCgroup };
}

function boundJournals(
  parts: GrowingJournalSources & {
    readonly clock: Clock;
    readonly store: Pick<StateStore, "journalTable">;
  },
  { journalBytesMax }: EngineOptions,
  onFailure: (failure: LoopFailure) => void,
): JournalRetention {
  return new JournalRetention({
    clock: parts.clock,
    table: parts.store.journalTable,
    bytesMax: journalBytesMax ?? journalBytesMaxDefault,
    growing: () => growingJournals(parts),
    onFailure,
  });
}
