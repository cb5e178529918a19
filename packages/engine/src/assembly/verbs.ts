/** The engine's methods by their verbs. */
import { cleanUpContainerLocked } from "../container/clean-up-container.ts";
import { resyncContainerLocked } from "../container/container-sync.ts";
import { killLocked } from "../container/kill.ts";
import { mountLocked, unmountLocked } from "../container/mount.ts";
import { pauseLocked, unpauseLocked } from "../container/pause.ts";
import { refreshLocked } from "../container/refresh.ts";
import { renameLocked } from "../container/rename.ts";
import { restartLocked } from "../container/restart.ts";
import { stopLocked } from "../container/stop.ts";
import { updateLocked } from "../container/update.ts";
import type { Batch } from "../operation/batch.ts";
import type { LockingMethods, StepMethods } from "../operation/verb-methods.ts";
import type { EngineParts } from "./engine-parts.ts";

export function stepMethods(parts: EngineParts): StepMethods {
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

export function lockingMethods(parts: EngineParts, batch: Batch): LockingMethods {
  const { creation, removal } = parts;
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
