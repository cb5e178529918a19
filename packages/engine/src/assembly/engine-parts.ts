import type { Clock } from "@podfleet/base/clock";
import type { JournalRetention } from "@podfleet/journal/retention/retention";
import type { Action } from "@podfleet/model/action";
import type { ContainerId } from "@podfleet/model/ids";
import type { CgroupHierarchies } from "@podfleet/oci/cgroup/cgroup";
import type { HoldingCgroup } from "@podfleet/oci/cgroup/holding-cgroup";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";
import type { HostLimits } from "@podfleet/oci/spec/host-limits";
import type { ImageStore } from "@podfleet/storage/image/image-store";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import type { ContainerArtifacts } from "../artifact/container-artifacts.ts";
import type { ContainerCheckpoint } from "../checkpoint/container-checkpoint.ts";
import type { ContainerImport } from "../checkpoint/container-import.ts";
import type { ContainerRestore } from "../checkpoint/container-restore.ts";
import type { ContainerCleanup } from "../container/container-cleanup.ts";
import type { ContainerCreation } from "../container/container-creation.ts";
import type { ContainerExecs } from "../container/container-execs.ts";
import type { ContainerInit } from "../container/container-init.ts";
import type { ContainerRemoval } from "../container/container-removal.ts";
import type { ContainerStart } from "../container/container-start.ts";
import type { ContainerSync } from "../container/container-sync.ts";
import type { ExitWatcher } from "../container/exit-watcher.ts";
import type { ProcessCreation } from "../container/process-creation.ts";
import type { ProcessEnd } from "../container/process-end.ts";
import type { RunRecords } from "../container/run-records.ts";
import type { ExecControl } from "../exec/exec-control.ts";
import type { ExecSessions } from "../exec/exec-sessions.ts";
import type { ExecStart } from "../exec/exec-start.ts";
import type { ExecStep } from "../exec/exec-step.ts";
import type { ExecWatcher } from "../exec/exec-watcher.ts";
import type { HealthCheck } from "../health/health-check.ts";
import type { HealthProbe } from "../health/health-probe.ts";
import type { CheckpointSupport } from "../host/checkpoint-support.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import type { ImageLoading } from "../image/image-loading.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import type { ContainerFiles } from "../rootfs/container-files.ts";
import type { RootfsStreams } from "../rootfs/rootfs-streams.ts";
import type { ExecStore } from "../state/exec-store.ts";
import type { SessionStore } from "../state/session-store.ts";
import type { StateStore } from "../state/state-store.ts";
import type { UsageReader } from "../usage/usage-reader.ts";

/** What the container methods work with: one of each for an engine. */
export interface EngineParts {
  readonly clock: Clock;
  readonly paths: EnginePaths;
  readonly store: StateStore;
  readonly locks: ContainerLocks;
  readonly exits: ExitWatcher;
  readonly runs: RunRecords;
  readonly cleanup: ContainerCleanup;
  readonly sync: ContainerSync;
  readonly containerExecs: ContainerExecs;
  readonly containerProcesses: ProcessCreation;
  readonly init: ContainerInit;
  readonly start: ContainerStart;
  readonly ending: ProcessEnd;
  readonly removal: ContainerRemoval;
  readonly creation: ContainerCreation;
  readonly execs: ExecStore;
  readonly execWatcher: ExecWatcher;
  readonly execStart: ExecStart;
  readonly execStep: ExecStep;
  readonly execSessions: ExecSessions;
  readonly execControl: ExecControl;
  readonly sessions: SessionStore;
  readonly journals: JournalRetention;
  readonly runtime: OciRuntime;
  readonly images: ImageStore;
  readonly storage: ContainerStorage;
  readonly artifacts: ContainerArtifacts;
  readonly containerCheckpoint: ContainerCheckpoint;
  readonly containerImport: ContainerImport;
  readonly containerRestore: ContainerRestore;
  readonly files: ContainerFiles;
  readonly imageLoading: ImageLoading;
  readonly rootfsStreams: RootfsStreams;
  readonly usage: UsageReader;
  readonly hostLimits: HostLimits;
  /** Found out while the engine opens; it never rejects. */
  readonly checkpointSupport: Promise<CheckpointSupport>;
  readonly cgroups: CgroupHierarchies;
  /** Cgroup below which each container has its own. */
  readonly cgroupParent: string;
  /** Path of conmon. */
  readonly monitorProgram: string;
  /** Where monitors live. */
  readonly monitorCgroup: HoldingCgroup;
  /** Has the container cleaned up when its turn comes, and removed if that is to follow its run. */
  readonly cleanUpLater: (id: ContainerId) => void;
  readonly healthCheck: HealthCheck;
  readonly healthProbe: HealthProbe;
  /** Begins an operation of the engine's own. */
  readonly performLater: (action: Action) => void;
}
