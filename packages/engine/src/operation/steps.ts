/** What a user may have done to one container under its lock, alone or in a batch. */
import type { ContainerId } from "@podfleet/model/ids";
import type { Step, StepVerb } from "@podfleet/model/verb/batch-verb";

import { execStepMsMax } from "../exec/exec-step.ts";
import type { StateStore } from "../state/state-store.ts";
import type { StepMethods, StepTask } from "./verb-methods.ts";

/** What most steps take at most; stopping takes it beside the wait for the process. */
const stepMsMax = 120_000;

export class Steps {
  readonly #methods: StepMethods;
  readonly #store: Pick<StateStore, "get">;

  constructor(methods: StepMethods, store: Pick<StateStore, "get">) {
    this.#methods = methods;
    this.#store = store;
  }

  /** @throws PodfleetError why it failed; that is not committed then */
  async performLocked<V extends StepVerb>(id: ContainerId, task: StepTask<V>): Promise<void> {
    const perform = this.#methods[task.step.verb];
    await perform(id, task);
  }

  /** The longest that the step may hold the container's lock. */
  holdMsMaxOf(id: ContainerId, step: Step): number {
    const { spec } = this.#store.get(id);
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
}
