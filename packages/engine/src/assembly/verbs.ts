/** The engine's methods by their verbs. */
import type { ContainerArtifacts } from "../artifact/container-artifacts.ts";
import type { ContainerCheckpoint } from "../checkpoint/container-checkpoint.ts";
import type { ContainerImport } from "../checkpoint/container-import.ts";
import type { ContainerRestore } from "../checkpoint/container-restore.ts";
import { cleanUpContainerLocked, type CleanUpParts } from "../container/clean-up-container.ts";
import type { ContainerCreation } from "../container/container-creation.ts";
import type { ContainerInit } from "../container/container-init.ts";
import type { ContainerRemoval } from "../container/container-removal.ts";
import { type ContainerSync, resyncContainerLocked } from "../container/container-sync.ts";
import { killLocked, type KillParts } from "../container/kill.ts";
import { mountLocked, unmountLocked, type MountParts } from "../container/mount.ts";
import { pauseLocked, unpauseLocked, type PauseParts } from "../container/pause.ts";
import { refreshLocked, type RefreshParts } from "../container/refresh.ts";
import { renameLocked, type RenameParts } from "../container/rename.ts";
import { restartLocked, type RestartParts } from "../container/restart.ts";
import { stopLocked, type StopParts } from "../container/stop.ts";
import { updateLocked, type UpdateParts } from "../container/update.ts";
import type { ExecControl } from "../exec/exec-control.ts";
import type { ExecStart } from "../exec/exec-start.ts";
import type { ExecStep } from "../exec/exec-step.ts";
import type { HealthCheck } from "../health/health-check.ts";
import type { ImageLoading } from "../image/image-loading.ts";
import type { Batch } from "../operation/batch.ts";
import type { LockingMethods, StepMethods } from "../operation/verb-methods.ts";
import type { ContainerFiles } from "../rootfs/container-files.ts";
import type { StateStore } from "../state/state-store.ts";

/** What the steps of a container work with. */
type StepParts = CleanUpParts &
  KillParts &
  MountParts &
  PauseParts &
  RefreshParts &
  RenameParts &
  RestartParts &
  StopParts &
  UpdateParts & {
    readonly store: Pick<StateStore, "succeed">;
    readonly sync: ContainerSync;
    readonly init: Pick<ContainerInit, "initLocked">;
    readonly execStep: Pick<ExecStep, "runLocked">;
  };

export function stepMethods(parts: StepParts): StepMethods {
  const { init, start } = parts;
  return {
    "container.init": (id, task) => init.initLocked(id, task),
    "container.start": (id, { operation }) =>
      start.startLocked(id, { operation, ends: true, byPolicy: false }),
    "container.restart": (id, { step, operation }) =>
      restartLocked(parts, id, { ...step, operation }),
    "container.stop": (id, task) => stopLocked(parts, id, { ...task.step, ...task }),
    "container.kill": (id, task) => killLocked(parts, id, { ...task.step, ...task }),
    "container.pause": (id, task) => pauseLocked(parts, id, task),
    "container.unpause": (id, task) => unpauseLocked(parts, id, task),
    "container.cleanup": (id, task) => cleanUpContainerLocked(parts, id, task),
    "container.sync": (id, task) => resyncContainerLocked(parts, id, task),
    "container.refresh": (id, task) => refreshLocked(parts, id, task),
    "container.rename": (id, task) => renameLocked(parts, id, { ...task.step, ...task }),
    "container.update": (id, { step, operation }) =>
      updateLocked(parts, id, { ...step, operation }),
    "container.mount": (id, task) => mountLocked(parts, id, task),
    "container.unmount": (id, { step, operation }) =>
      unmountLocked(parts, id, { ...step, operation }),
    "exec.start": (id, task) => parts.execStep.runLocked(id, { ...task, spec: task.step.spec }),
  };
}

/** The methods that take the locks they need themselves. */
interface LockingParts {
  readonly batch: Batch;
  readonly creation: Pick<ContainerCreation, "create">;
  readonly removal: Pick<ContainerRemoval, "remove">;
  readonly files: Pick<ContainerFiles, "copyTo">;
  readonly healthCheck: Pick<HealthCheck, "check">;
  readonly containerCheckpoint: ContainerCheckpoint;
  readonly containerRestore: Pick<ContainerRestore, "restore">;
  readonly containerImport: ContainerImport;
  readonly execStart: Pick<ExecStart, "start">;
  readonly execControl: ExecControl;
  readonly artifacts: Pick<ContainerArtifacts, "add" | "remove">;
  readonly imageLoading: ImageLoading;
}

export function lockingMethods(parts: LockingParts): LockingMethods {
  const { batch, creation, removal } = parts;
  return {
    "container.create": (operation, action) => creation.create(operation, action),
    "container.remove": (operation, action) => removal.remove(operation, action),
    "container.copy": (operation, action) => parts.files.copyTo(operation, action),
    "container.healthcheck": (operation, { containerId }) =>
      parts.healthCheck.check(containerId, operation),
    "container.batch": (operation, action) => batch.perform(operation, action),
    "container.checkpoint": (operation, action) =>
      parts.containerCheckpoint.checkpoint(operation, action),
    "container.restore": (operation, action) => parts.containerRestore.restore(operation, action),
    "container.import": (operation, action) => parts.containerImport.import(operation, action),
    "exec.start": (operation, action) => parts.execStart.start(operation, action),
    "exec.kill": (operation, action) => parts.execControl.kill(operation, action),
    "exec.remove": (operation, action) => parts.execControl.remove(operation, action),
    "artifact.add": (operation, action) => parts.artifacts.add(operation, action),
    "artifact.remove": (operation, action) => parts.artifacts.remove(operation, action),
    "image.load": (operation, action) => parts.imageLoading.load(operation, action),
  };
}
