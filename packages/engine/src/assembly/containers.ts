import { ContainerCleanup, type CleanupParts } from "../container/container-cleanup.ts";
import { ContainerCreation, type ContainerCreationParts } from "../container/container-creation.ts";
import { ContainerInit } from "../container/container-init.ts";
import { ContainerRemoval } from "../container/container-removal.ts";
import { ContainerStart, type ContainerStartParts } from "../container/container-start.ts";
import { ContainerSync, type SyncParts } from "../container/container-sync.ts";
import { ProcessCreation, type ProcessCreationParts } from "../container/process-creation.ts";
import { ProcessEnd, type ProcessEndParts } from "../container/process-end.ts";
import { RunRecords, type RunRecordParts } from "../container/run-records.ts";

/** What the methods of containers stand on. */
type Ground = CleanupParts &
  ContainerCreationParts &
  Omit<ContainerStartParts, "cleanup" | "init" | "runs" | "sync"> &
  Omit<ProcessCreationParts, "cleanup"> &
  Omit<ProcessEndParts, "sync"> &
  Omit<SyncParts, "cleanup" | "runs"> &
  RunRecordParts & { readonly store: ConstructorParameters<typeof ContainerRemoval>[0]["store"] };

export type Containers = ReturnType<typeof assembleContainers>;

/** Makes the methods of containers for each other: those that take down first, those that bring up after them. */
export function assembleContainers(ground: Ground) {
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
