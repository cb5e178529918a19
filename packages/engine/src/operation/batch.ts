/**
 * Many steps on one container under one lock, without a look at its process between them. The result of each is on record with its last
 * commit, so an attempt that was cut off is carried on at the step that it was at.
 */
import type { ActionOf } from "@podfleet/model/action";
import { PodfleetError, type WireError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import type { StepResult } from "@podfleet/model/operation";
import type { Step } from "@podfleet/model/verb/batch-verb";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import { traced } from "@podfleet/oci/process/trace";

import type { ContainerSync } from "../container/container-sync.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import type { Steps } from "./steps.ts";

type BatchAction = ActionOf<"container.batch">;

export interface BatchParts {
  readonly store: Pick<StateStore, "get" | "note" | "operations">;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
  readonly steps: Steps;
}

export class Batch {
  readonly #parts: BatchParts;

  constructor(parts: BatchParts) {
    this.#parts = parts;
  }

  /** @throws PodfleetError when no step was begun: STATE_INVALID, LOCK_TIMEOUT */
  async perform(
    operation: OperationRef,
    action: BatchAction & { readonly resumed: boolean },
  ): Promise<void> {
    const { locks, steps, store, sync } = this.#parts;
    const { containerId: id, verb } = action;
    const holdMsMax = action.steps.reduce((sum, step) => sum + steps.holdMsMaxOf(id, step), 0);
    await locks.run(id, { purpose: verb, holdMsMax }, async () => {
      await sync.syncLocked(id, { operation });
      assertAllowed("batch", store.get(id).snapshot);
      await this.#performStepsLocked(operation, action);
      this.#commitResultsLocked(operation, action);
    });
  }

  async #performStepsLocked(
    { id: operationId }: OperationRef,
    action: BatchAction & { readonly resumed: boolean },
  ): Promise<void> {
    const { containerId: id, steps, continueOnError, resumed } = action;
    const { operations } = this.#parts.store;
    const done = operations.progress(operationId).steps;
    let mayGoOn = continueOnError || !done.some(isFailure);
    for (const [position, step] of steps.entries()) {
      if (position < done.length) continue;
      if (!mayGoOn) return;
      const operation = { id: operationId, verb: step.verb, step: position };
      const wasCut = resumed && position === done.length;
      const error = await this.#attemptLocked(id, { step, operation, resumed: wasCut });
      if (!error) continue;
      operations.finishStep(operationId, { status: "failed", verb: step.verb, error });
      mayGoOn = continueOnError;
    }
  }

  /** @returns why it failed */
  async #attemptLocked(
    id: ContainerId,
    task: { readonly step: Step; readonly operation: OperationRef; readonly resumed: boolean },
  ): Promise<WireError | undefined> {
    const { step, operation, resumed } = task;
    const attributes = { "podfleet.container.id": id, "podfleet.batch.step": operation.step ?? 0 };
    try {
      await traced(step.verb, attributes, async () => {
        await this.#parts.steps.performLocked(id, { ...task, wasRunning: resumed });
      });
      return undefined;
    } catch (error) {
      const failure = PodfleetError.from(error);
      if (failure.code === "INTERNAL") throw error;
      return failure.toWire();
    }
  }

  #commitResultsLocked(operation: OperationRef, { containerId: id, steps }: BatchAction): void {
    const { store } = this.#parts;
    const done = store.operations.progress(operation.id).steps;
    const skipped = steps
      .slice(done.length)
      .map(({ verb }): StepResult => ({ status: "skipped", verb }));
    const ends = failureOf(done, store.get(id).snapshot.name) ?? "succeeded";
    const results = [...done, ...skipped];
    store.note(id, { event: "operation.finished", operation, ends, steps: results });
  }
}

function isFailure({ status }: StepResult): boolean {
  return status === "failed";
}

/** The error of the first step that failed. */
function failureOf(results: readonly StepResult[], name: string): WireError | undefined {
  for (const [step, result] of results.entries()) {
    if (result.status !== "failed") continue;
    const { code, message, details } = result.error;
    const prefix = `Step ${step + 1} (${result.verb}) of the batch on container "${name}" failed`;
    return { code, message: `${prefix}: ${message}`, details: { ...details, step } };
  }
  return undefined;
}
