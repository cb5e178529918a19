import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";

import type { StateStore } from "../state/state-store.ts";
import type { OperationRef } from "../state/state-store.ts";

export interface RenameParts {
  readonly store: Pick<StateStore, "get" | "list" | "update">;
}

export interface RenameOptions {
  readonly operation: OperationRef;
  readonly name: string;
  readonly resumed: boolean;
}

/** @throws PodfleetError STATE_INVALID; NAME_IN_USE when a container of the host, this one too, has the name */
export function renameLocked(
  parts: RenameParts,
  id: ContainerId,
  { operation, name, resumed }: RenameOptions,
): void {
  const { snapshot, spec } = parts.store.get(id);
  assertAllowed("rename", snapshot);
  const holder = parts.store.list().find((record) => record.snapshot.name === name);
  if (holder && !(resumed && holder.snapshot.id === id)) {
    throw new PodfleetError(
      "NAME_IN_USE",
      `Cannot rename container "${snapshot.name}" to "${name}": the host has a container of that name`,
      { details: { field: "name", name } },
    );
  }
  const attributes = { nameBefore: snapshot.name };
  const note = { event: "container.rename", attributes, operation, ends: "succeeded" } as const;
  parts.store.update(id, { name, spec: { ...spec, name } }, note);
}
