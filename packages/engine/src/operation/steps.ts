/** What a user may have done to one container under its lock, alone or in a batch. */
import type { Step } from "@podfleet/model/action";
import { assertAllowed } from "@podfleet/model/container/state";
import type { ContainerId } from "@podfleet/model/ids";

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
import { runExecLocked, runExecMsMax } from "../exec/run-exec.ts";
import type { OperationRef } from "../state/state-store.ts";

export interface StepTask {
  readonly step: Step;
  /** Whose success the step's last commit says; with the step's position when it is one of a batch. */
  readonly operation: OperationRef;
  /** The engine ended during an earlier attempt, which may have done all but the last commit. */
  readonly resumed: boolean;
  /** The container had a process, or was about to be started again, when this was asked for. */
  readonly wasRunning: boolean;
}

/**
 * Does the step and commits that it has succeeded. Its record is in line with the container's process at the beginning; nothing is read
 * anew.
 * @throws PodfleetError why it failed; that is not committed then
 */
export async function performStepLocked(
  parts: EngineParts,
  id: ContainerId,
  task: StepTask,
): Promise<void> {
  const { step, operation, resumed } = task;
  switch (step.verb) {
    case "container.init":
      return await initLocked(parts, id, task);
    case "container.start":
      return await startLocked(parts, id, { operation, ends: true, byPolicy: false });
    case "container.restart":
      return await restartLocked(parts, id, { ...step, operation });
    case "container.stop":
      return await stopLocked(parts, id, { ...step, ...task });
    case "container.kill":
      return await killLocked(parts, id, { ...step, ...task });
    case "container.pause":
      return await pauseLocked(parts, id, task);
    case "container.unpause":
      return await unpauseLocked(parts, id, task);
    case "container.cleanup":
      return await cleanUpContainerLocked(parts, id, task);
    case "container.sync":
      assertAllowed("sync", parts.store.get(id).snapshot);
      await parts.sync.resyncLocked(id, { operation });
      return parts.store.succeed(id, operation);
    case "container.refresh":
      return await refreshLocked(parts, id, task);
    case "container.rename":
      return renameLocked(parts, id, { ...step, operation, resumed });
    case "container.update":
      return await updateLocked(parts, id, { ...step, operation });
    case "container.mount":
      return await mountLocked(parts, id, task);
    case "container.unmount":
      return await unmountLocked(parts, id, { ...step, operation });
    case "exec.start":
      return await runExecLocked(parts, id, { ...task, spec: step.spec });
  }
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
      return runExecMsMax(step.spec);
    default:
      return stepMsMax;
  }
}
