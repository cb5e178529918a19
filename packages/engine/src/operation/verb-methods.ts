/** How the engine's methods are found by their verbs: a verb without one does not compile. */
import type { ActionOf } from "@podfleet/model/action";
import type { ContainerId } from "@podfleet/model/ids";
import type { StepOf, StepVerb } from "@podfleet/model/verb/batch-verb";
import type { Verb, VerbOn } from "@podfleet/model/verb/verbs";

import type { OperationRef } from "../state/state-store.ts";

/** Steps on a container that are also done alone: the lock is taken for them. */
export type LoneStepVerb = Extract<StepVerb, VerbOn<"container">>;
/** Verbs that take the locks they need themselves. */
export type LockingVerb = Exclude<Verb, LoneStepVerb>;

/** Commits, with its last change, that `operation` has succeeded. `resumed`: see `StepTask`. */
export type LockingMethod<V extends LockingVerb> = (
  operation: OperationRef,
  action: ActionOf<V> & { readonly resumed: boolean },
) => Promise<void>;

export type LockingMethods = { readonly [V in LockingVerb]: LockingMethod<V> };

export interface StepTask<V extends StepVerb = StepVerb> {
  readonly step: StepOf<V>;
  /** The operation whose success the step's last commit says; with the step's position when it is one of a batch. */
  readonly operation: OperationRef;
  /** The engine ended during an earlier attempt, which may have done all but the last commit. */
  readonly resumed: boolean;
  /** The container had a process, or was about to be started again, when this was asked for. */
  readonly wasRunning: boolean;
}

/** Does the step and commits that it has succeeded. The container's record is in line with its process at the beginning. */
export type StepMethod<V extends StepVerb> = (
  id: ContainerId,
  task: StepTask<V>,
) => Promise<void> | void;

export type StepMethods = { readonly [V in StepVerb]: StepMethod<V> };
