import type { Action } from "@podfleet/model/action";
import type { ContainerId } from "@podfleet/model/ids";
import type { Mutation } from "@podfleet/model/mutation";

export interface ContainerIdentity {
  readonly id: ContainerId;
  readonly name: string;
}

/** The action for the container's host. The verb table gives mutation and action the same arguments. */
export function actionOf(mutation: Mutation, { id: containerId, name }: ContainerIdentity): Action {
  if (!("container" in mutation)) return { ...mutation, containerId, name };
  const { container: _, ...action } = mutation;
  return { ...action, containerId } as Action;
}
