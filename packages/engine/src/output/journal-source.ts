import type { JournalReadOptions } from "@podfleet/journal/record/read";
import { PodfleetError } from "@podfleet/model/errors";
import { firstExtraDescriptor } from "@podfleet/model/exec";
import type { ContainerId, ExecId } from "@podfleet/model/ids";

import type { EngineParts } from "../container/engine-parts.ts";
import { hasProcess, isRestarting } from "../state/container-process.ts";

export interface JournalReference {
  readonly containerId: ContainerId;
  /** The journal of this session instead of the container's own. */
  readonly execId?: ExecId | undefined;
  /** What the session's command writes to this descriptor beside the standard ones, which is bytes without records. */
  readonly descriptor?: number | undefined;
}

export interface JournalSource extends Pick<
  JournalReadOptions,
  "mayGrow" | "subscribe" | "isPlain" | "keptFrom"
> {
  readonly path: string;
}

/**
 * Where output is, and how long it may grow. That of a removed container and its sessions is there for ten more minutes.
 * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND; INVALID_INPUT for a descriptor that the session does not have
 */
export function findJournal(parts: EngineParts, reference: JournalReference): JournalSource {
  const { containerId: id, execId, descriptor } = reference;
  const { journals, paths, store } = parts;
  if (execId !== undefined) return findExecJournal(parts, { ...reference, execId });
  if (descriptor !== undefined) throw noDescriptor(descriptor, 0);
  if (!store.find(id) && !store.findRemoved(id)) store.get(id);
  return {
    path: paths.journal(id),
    keptFrom: () => journals.keptFrom(id),
    mayGrow: () => {
      const snapshot = store.find(id)?.snapshot;
      return snapshot !== undefined && (hasProcess(snapshot) || isRestarting(snapshot));
    },
    subscribe: (listener) => store.onChange(id, listener),
  };
}

function findExecJournal(
  { execs, journals, paths }: EngineParts,
  { containerId, execId, descriptor }: JournalReference & { readonly execId: ExecId },
): JournalSource {
  const { spec } = execs.get(containerId, execId).session;
  const growth = {
    mayGrow: () => (execs.find(execId)?.session.state ?? "exited") !== "exited",
    subscribe: (listener: () => void) => execs.onChange(execId, listener),
  };
  if (descriptor === undefined) {
    const keptFrom = (): number => journals.keptFrom(execId);
    return { path: paths.execJournal(execId), keptFrom, ...growth };
  }
  if (descriptor >= firstExtraDescriptor + spec.preserveFds) {
    throw noDescriptor(descriptor, spec.preserveFds);
  }
  return {
    path: paths.execDescriptor(execId, descriptor),
    isPlain: true,
    keptFrom: () => 0,
    ...growth,
  };
}

function noDescriptor(descriptor: number, count: number): PodfleetError {
  const last = firstExtraDescriptor + count - 1;
  const right =
    count === 0 ? "there is none to read" : `must be from ${firstExtraDescriptor} to ${last}`;
  return new PodfleetError("INVALID_INPUT", `Cannot read descriptor ${descriptor}: ${right}`, {
    details: { field: "descriptor", descriptor },
  });
}
