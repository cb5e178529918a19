import type { Action, ActionOf } from "@podfleet/model/action";
import type { StepVerb } from "@podfleet/model/verb/batch-verb";
import type { Verb, VerbOn } from "@podfleet/model/verb/verbs";

import { checkpointContainer } from "../checkpoint/checkpoint-container.ts";
import { importContainer } from "../checkpoint/import-container.ts";
import { restoreContainer } from "../checkpoint/restore-container.ts";
import { createContainer } from "../container/create.ts";
import type { EngineParts } from "../container/engine-parts.ts";
import { isToBeRemoved, removeContainer } from "../container/remove.ts";
import { startDependencies } from "../container/start.ts";
import { checkHealth } from "../health/check-health.ts";
import { hasProcess, isRestarting } from "../state/container-process.ts";
import type { OperationRef } from "../state/state-store.ts";
import { performBatch } from "./batch.ts";
import { holdMsMaxOf, performStepLocked } from "./steps.ts";

/** Steps on a container, done alone. */
type LoneStepVerb = Extract<StepVerb, VerbOn<"container">>;
/** Verbs that take themselves what locks they need. */
type OwnVerb = Exclude<Verb, LoneStepVerb>;

type Perform<V extends OwnVerb> = (
  parts: EngineParts,
  operation: OperationRef,
  action: ActionOf<V> & { readonly resumed: boolean },
) => Promise<void>;

const performers: { readonly [V in OwnVerb]: Perform<V> } = {
  "container.create": createContainer,
  "container.remove": removeContainer,
  "container.copy": ({ files }, operation, action) => files.copyTo(operation, action),
  "container.healthcheck": (parts, operation, { containerId }) =>
    checkHealth(parts, containerId, operation),
  "container.batch": performBatch,
  "container.checkpoint": checkpointContainer,
  "container.restore": restoreContainer,
  "container.import": importContainer,
  "exec.start": (parts, operation, action) => parts.execStart.start(operation, action),
  "exec.kill": (parts, operation, action) => parts.execControl.kill(operation, action),
  "exec.remove": (parts, operation, action) => parts.execControl.remove(operation, action),
  "artifact.add": ({ artifacts }, operation, action) => artifacts.add(operation, action),
  "artifact.remove": ({ artifacts }, operation, action) => artifacts.remove(operation, action),
  "image.load": ({ imageLoading }, operation, action) => imageLoading.load(operation, action),
};

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
  if (isLoneStep(action)) {
    if (action.verb === "container.start" && action.recursive) {
      await startDependencies(parts, operation, action.containerId);
    }
    return await performAlone(parts, operation, { action, resumed });
  }
  await performOwn(parts, operation, { ...action, resumed });
}

function isLoneStep(action: Action): action is ActionOf<LoneStepVerb> {
  return !(action.verb in performers);
}

async function performOwn<V extends OwnVerb>(
  parts: EngineParts,
  operation: OperationRef,
  action: ActionOf<V> & { readonly resumed: boolean },
): Promise<void> {
  const perform = performers[action.verb];
  await perform(parts, operation, action);
}

/** Takes the lock, takes note of what became of the process meanwhile, and does the one step. */
async function performAlone(
  parts: EngineParts,
  operation: OperationRef,
  task: {
    readonly action: ActionOf<LoneStepVerb>;
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
