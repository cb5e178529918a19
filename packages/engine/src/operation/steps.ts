/** What a user may have done to one container under its lock, alone or in a batch. */
import { assertAllowed } from "@podfleet/model/container/state";
import type { ContainerId } from "@podfleet/model/ids";
import type { Step, StepOf, StepVerb } from "@podfleet/model/verb/batch-verb";

import { cleanUpContainerLocked } from "../container/clean-up-container.ts";
import type { EngineParts } from "../container/engine-parts.ts";
import { initLocked } from "../container/initialize.ts";
import { killLocked } from "../container/kill.ts";
import { mountLocked, unmountLocked } from "../container/mount.ts";
import { pauseLocked, unpauseLocked } from "../container/pause.ts";
import { refreshLocked } from "../container/refresh.ts";
import { renameLocked } from "../container/rename.ts";
import { restartLocked } from "../container/restart.ts";
import { startLocked } from "../container/start.ts";
import { stopLocked } from "../container/stop.ts";
import { updateLocked } from "../container/update.ts";
import { execStepMsMax } from "../exec/exec-step.ts";
import type { OperationRef } from "../state/state-store.ts";

export interface StepTask<V extends StepVerb = StepVerb> {
  readonly step: StepOf<V>;
  /** Whose success the step's last commit says; with the step's position when it is one of a batch. */
  readonly operation: OperationRef;
  /** The engine ended during an earlier attempt, which may have done all but the last commit. */
  readonly resumed: boolean;
  /** The container had a process, or was about to be started again, when this was asked for. */
  readonly wasRunning: boolean;
}

type PerformStep<V extends StepVerb> = (
  parts: EngineParts,
  id: ContainerId,
  task: StepTask<V>,
) => Promise<void> | void;

/**
 * Each does the step and commits that it has succeeded. The container's record is in line with its process at the beginning; nothing is
 * read anew.
 */
const performers: { readonly [V in StepVerb]: PerformStep<V> } = {
  "container.init": initLocked,
  "container.start": (parts, id, { operation }) =>
    startLocked(parts, id, { operation, ends: true, byPolicy: false }),
  "container.restart": (parts, id, { step, operation }) =>
    restartLocked(parts, id, { ...step, operation }),
  "container.stop": (parts, id, task) => stopLocked(parts, id, { ...task.step, ...task }),
  "container.kill": (parts, id, task) => killLocked(parts, id, { ...task.step, ...task }),
  "container.pause": pauseLocked,
  "container.unpause": unpauseLocked,
  "container.cleanup": cleanUpContainerLocked,
  "container.sync": resyncContainerLocked,
  "container.refresh": refreshLocked,
  "container.rename": (parts, id, task) => renameLocked(parts, id, { ...task.step, ...task }),
  "container.update": (parts, id, { step, operation }) =>
    updateLocked(parts, id, { ...step, operation }),
  "container.mount": mountLocked,
  "container.unmount": (parts, id, { step, operation }) =>
    unmountLocked(parts, id, { ...step, operation }),
  "exec.start": (parts, id, task) =>
    parts.execStep.runLocked(id, { ...task, spec: task.step.spec }),
};

/** @throws PodfleetError why it failed; that is not committed then */
export async function performStepLocked<V extends StepVerb>(
  parts: EngineParts,
  id: ContainerId,
  task: StepTask<V>,
): Promise<void> {
  const perform = performers[task.step.verb];
  await perform(parts, id, task);
}

async function resyncContainerLocked(
  parts: EngineParts,
  id: ContainerId,
  { operation }: StepTask,
): Promise<void> {
  assertAllowed("sync", parts.store.get(id).snapshot);
  await parts.sync.resyncLocked(id, { operation });
  parts.store.succeed(id, operation);
}

/** What most steps take at most; stopping takes it beside the wait for the process. */
const stepMsMax = 120_000;

/** The longest that the step may hold the lock. */
export function holdMsMaxOf(parts: EngineParts, id: ContainerId, step: Step): number {
  const { spec } = parts.store.get(id);
  switch (step.verb) {
    case "container.stop":
      return (step.timeoutSeconds ?? spec.stopTimeoutSeconds) * 1_000 + stepMsMax;
    case "container.restart":
      return (step.timeoutSeconds ?? spec.stopTimeoutSeconds) * 1_000 + 2 * stepMsMax;
    case "container.refresh":
      return spec.stopTimeoutSeconds * 1_000 + 2 * stepMsMax;
    case "exec.start":
      return execStepMsMax(step.spec);
    default:
      return stepMsMax;
  }
}
