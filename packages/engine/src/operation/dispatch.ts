import type { Action, ActionOf } from "@podfleet/model/action";
import type { ContainerId } from "@podfleet/model/ids";

import type { ContainerStart } from "../container/container-start.ts";
import type { ContainerSync } from "../container/container-sync.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import { hasProcess, isRemovedAfterRun, isRestarting } from "../state/container-process.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import type { Steps } from "./steps.ts";
import type { LockingMethods, LockingVerb, LoneStepVerb } from "./verb-methods.ts";

export interface DispatchParts {
  readonly store: Pick<StateStore, "find" | "get" | "note">;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
  readonly start: Pick<ContainerStart, "startDependencies">;
  readonly steps: Steps;
  readonly methods: LockingMethods;
  /** Has the container cleaned up when its turn comes, and removed if that is to follow its run. */
  readonly cleanUpLater: (id: ContainerId) => void;
}

/** Finds the method for an action. */
export class Dispatch {
  readonly #parts: DispatchParts;

  constructor(parts: DispatchParts) {
    this.#parts = parts;
  }

  /**
   * Does what the action says and commits that `operation` has succeeded. `resumed`: the engine ended during an earlier
   * attempt, which may have done all but the last step.
   * @throws PodfleetError why it failed; the outcome is not committed then
   */
  async carryOut(
    operation: OperationRef,
    { action, resumed }: { readonly action: Action; readonly resumed: boolean },
  ): Promise<void> {
    if (!this.#isLoneStep(action)) {
      return await this.#performLocking(operation, { ...action, resumed });
    }
    if (action.verb === "container.start" && action.recursive) {
      await this.#parts.start.startDependencies(operation, action.containerId);
    }
    await this.#performAlone(operation, { action, resumed });
  }

  #isLoneStep(action: Action): action is ActionOf<LoneStepVerb> {
    return !(action.verb in this.#parts.methods);
  }

  async #performLocking<V extends LockingVerb>(
    operation: OperationRef,
    action: ActionOf<V> & { readonly resumed: boolean },
  ): Promise<void> {
    const perform = this.#parts.methods[action.verb];
    await perform(operation, action);
  }

  /** Takes the lock, takes note of what became of the process meanwhile, and does the one step. */
  async #performAlone(
    operation: OperationRef,
    task: { readonly action: ActionOf<LoneStepVerb>; readonly resumed: boolean },
  ): Promise<void> {
    const { cleanUpLater, locks, steps, store, sync } = this.#parts;
    const { action: step, resumed } = task;
    const { containerId: id, verb } = step;
    const { snapshot: before } = store.get(id);
    const wasRunning = resumed || hasProcess(before) || isRestarting(before);
    const holdMsMax = steps.holdMsMaxOf(id, step);
    await locks.run(id, { purpose: verb, holdMsMax }, async () => {
      // One that was removed meanwhile has stopped too.
      if (verb === "container.stop" && wasRunning && !store.find(id)) {
        return store.note(id, { event: "container.stop", operation, ends: "succeeded" });
      }
      await sync.syncLocked(id, { operation });
      await steps.performLocked(id, { step, operation, resumed, wasRunning });
    });
    const after = store.find(id);
    if (after?.snapshot.state === "exited" && isRemovedAfterRun(after)) cleanUpLater(id);
  }
}
