import type { Action } from "@podfleet/model/action";
import type { ContainerId } from "@podfleet/model/ids";
import type { Mutation } from "@podfleet/model/mutation";

export interface ContainerIdentity {
  readonly id: ContainerId;
  readonly name: string;
}

/** What the container's host is asked to do. The verb table gives mutation and action the same arguments. */
export function actionOf(mutation: Mutation, { id: containerId, name }: ContainerIdentity): Action {
  if (!("container" in mutation)) return { ...mutation, containerId, name };
  const { container: _, ...action } = mutation;
  return { ...action, containerId } as Action;
}
