/** The engine's methods, made for each other: each gets what it needs of the ground and of those made before it. */
import type { ImageStore } from "@podfleet/storage/image/image-store";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";
import { IsolatedTar } from "@podfleet/storage/rootfs/isolated-tar";

import { ContainerArtifacts } from "../artifact/container-artifacts.ts";
import { CheckpointFiles, type CheckpointFileParts } from "../checkpoint/checkpoint-files.ts";
import { ContainerCheckpoint, type CheckpointParts } from "../checkpoint/container-checkpoint.ts";
import { ContainerImport, type ImportParts } from "../checkpoint/container-import.ts";
import { ContainerRestore, type RestoreParts } from "../checkpoint/container-restore.ts";
import { ProcessDump, type ProcessDumpParts } from "../checkpoint/process-dump.ts";
import { type CleanupParts, ContainerCleanup } from "../container/container-cleanup.ts";
import { ContainerCreation, type ContainerCreationParts } from "../container/container-creation.ts";
import { ContainerInit } from "../container/container-init.ts";
import { ContainerRemoval } from "../container/container-removal.ts";
import { ContainerStart, type ContainerStartParts } from "../container/container-start.ts";
import { ContainerSync, type SyncParts } from "../container/container-sync.ts";
import { ProcessCreation, type ProcessCreationParts } from "../container/process-creation.ts";
import { ProcessEnd, type ProcessEndParts } from "../container/process-end.ts";
import { RunRecords, type RunRecordParts } from "../container/run-records.ts";
import { ExecControl, type ExecControlParts } from "../exec/exec-control.ts";
import { ExecLauncher, type ExecLauncherParts } from "../exec/exec-launcher.ts";
import { ExecSessions, type ExecSessionsParts } from "../exec/exec-sessions.ts";
import { ExecStart, type ExecStartParts } from "../exec/exec-start.ts";
import { ExecStep, type ExecStepParts } from "../exec/exec-step.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import { ImageLoading } from "../image/image-loading.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import { ContainerFiles } from "../rootfs/container-files.ts";
import { RootfsAccess } from "../rootfs/rootfs-access.ts";
import { RootfsStreams } from "../rootfs/rootfs-streams.ts";
import type { RootfsUses } from "../rootfs/rootfs-uses.ts";
import type { StateStore } from "../state/state-store.ts";

type ContainerGround = CleanupParts &
  ContainerCreationParts &
  Omit<ContainerStartParts, "cleanup" | "init" | "runs" | "sync"> &
  Omit<ProcessCreationParts, "cleanup"> &
  Omit<ProcessEndParts, "sync"> &
  Omit<SyncParts, "cleanup" | "runs"> &
  RunRecordParts & { readonly store: ConstructorParameters<typeof ContainerRemoval>[0]["store"] };

/** Makes the methods of containers for each other: those that take down first, those that bring up after them. */
export function assembleContainers(ground: ContainerGround) {
  const runs = new RunRecords(ground);
  const cleanup = new ContainerCleanup(ground);
  const sync = new ContainerSync({ ...ground, runs, cleanup });
  const ending = new ProcessEnd({ ...ground, sync });
  const removal = new ContainerRemoval({ ...ground, sync, ending, cleanup });
  const containerProcesses = new ProcessCreation({ ...ground, cleanup });
  const init = new ContainerInit({ ...ground, cleanup, processes: containerProcesses });
  const start = new ContainerStart({ ...ground, runs, cleanup, sync, init });
  const creation = new ContainerCreation(ground);
  return { runs, cleanup, sync, ending, removal, containerProcesses, init, start, creation };
}

type ExecMethodParts = Omit<
  ExecLauncherParts & ExecStartParts & ExecStepParts & ExecControlParts & ExecSessionsParts,
  "launcher" | "execSessions" | "execStart"
>;

/** Makes the methods of exec sessions for each other. */
export function assembleExecs(parts: ExecMethodParts) {
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

/** Makes checkpoint, restore and import for each other. */
export function assembleCheckpoints(ground: CheckpointGround) {
  const files = new CheckpointFiles(ground);
  const dump = new ProcessDump({ ...ground, files });
  const containerRestore = new ContainerRestore(ground);
  return {
    containerCheckpoint: new ContainerCheckpoint({ ...ground, files, dump }),
    containerImport: new ContainerImport({ ...ground, containerRestore }),
    containerRestore,
  };
}

interface FileGround {
  readonly cleanup: ContainerCleanup;
  readonly locks: ContainerLocks;
  readonly storage: ContainerStorage;
  readonly store: StateStore;
  readonly paths: EnginePaths;
  readonly images: ImageStore;
  readonly rootfsUses: RootfsUses;
}

/** Makes the methods on files of containers and on images. */
export function assembleFiles({ images, paths, rootfsUses, ...parts }: FileGround) {
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
