import type { Action, Step } from "@podfleet/model/action";
import type { ContainerId } from "@podfleet/model/ids";

import { addArtifact, removeArtifact } from "../artifact/artifacts.ts";
import { checkpointContainer } from "../checkpoint/checkpoint-container.ts";
import { importContainer } from "../checkpoint/import-container.ts";
import { restoreContainer } from "../checkpoint/restore-container.ts";
import { createContainer } from "../container/create.ts";
import type { EngineParts } from "../container/engine-parts.ts";
import { isToBeRemoved, removeContainer } from "../container/remove.ts";
import { startDependencies } from "../container/start.ts";
import { killExec } from "../exec/kill-exec.ts";
import { removeExec } from "../exec/remove-exec.ts";
import { startExec } from "../exec/start-exec.ts";
import { checkHealth } from "../health/check-health.ts";
import { loadImages } from "../image/load-images.ts";
import { copyToContainer } from "../rootfs/copy-to.ts";
import { hasProcess, isRestarting } from "../state/container-process.ts";
import type { OperationRef } from "../state/state-store.ts";
import { performBatch } from "./batch.ts";
import { holdMsMaxOf, performStepLocked } from "./steps.ts";

/**
 * Does what the action says and commits that `operation` has succeeded. `resumed`: the engine ended during an earlier attempt,
 * which may have done all but the last step.
 * @throws PodfleetError why it failed; the outcome is not committed then
 */
export async function carryOut(
  parts: EngineParts,
  operation: OperationRef,
  { action, resumed }: { readonly action: Action; readonly resumed: boolean },
): Promise<void> {
  switch (action.verb) {
    case "container.create":
      return await createContainer(parts, operation, action);
    case "container.start":
      if (action.recursive) await startDependencies(parts, operation, action.containerId);
      return await performAlone(parts, operation, { action, resumed });
    case "container.init":
    case "container.restart":
    case "container.stop":
    case "container.kill":
    case "container.pause":
    case "container.unpause":
    case "container.cleanup":
    case "container.sync":
    case "container.refresh":
    case "container.rename":
    case "container.update":
    case "container.mount":
    case "container.unmount":
      return await performAlone(parts, operation, { action, resumed });
    case "container.healthcheck":
      return await checkHealth(parts, action.containerId, operation);
    case "container.batch":
      return await performBatch(parts, operation, { ...action, resumed });
    case "container.remove":
      return await removeContainer(parts, operation, action);
    case "exec.start":
      return await startExec(parts, operation, { ...action, resumed });
    case "exec.kill":
      return await killExec(parts, operation, { ...action, resumed });
    case "exec.remove":
      return await removeExec(parts, operation, action);
    case "container.checkpoint":
      return await checkpointContainer(parts, operation, { ...action, resumed });
    case "container.restore":
      return await restoreContainer(parts, operation, action);
    case "container.import":
      return await importContainer(parts, operation, { ...action, resumed });
    case "container.copy":
      return await copyToContainer(parts, operation, { ...action, resumed });
    case "artifact.add":
      return await addArtifact(parts, operation, { ...action, resumed });
    case "artifact.remove":
      return await removeArtifact(parts, operation, { ...action, resumed });
    case "image.load":
      return await loadImages(parts, operation, { ...action, resumed });
  }
}

/** Takes the lock, takes note of what became of the process meanwhile, and does the one step. */
async function performAlone(
  parts: EngineParts,
  operation: OperationRef,
  task: {
    readonly action: Step & { readonly containerId: ContainerId };
    readonly resumed: boolean;
  },
): Promise<void> {
  const { action: step, resumed } = task;
  const { containerId: id, verb } = step;
  const { snapshot: before } = parts.store.get(id);
  const wasRunning = resumed || hasProcess(before) || isRestarting(before);
  const holdMsMax = holdMsMaxOf(parts, id, step);
  await parts.locks.run(id, { purpose: verb, holdMsMax }, async () => {
    // One that was removed meanwhile has stopped too.
    if (verb === "container.stop" && wasRunning && !parts.store.find(id)) {
      return parts.store.note(id, { event: "container.stop", operation, ends: "succeeded" });
    }
    await parts.sync.syncLocked(id, { operation });
    await performStepLocked(parts, id, { step, operation, resumed, wasRunning });
  });
  const after = parts.store.find(id);
  if (after?.snapshot.state === "exited" && isToBeRemoved(after)) parts.cleanUpLater(id);
}
