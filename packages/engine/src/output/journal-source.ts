import type { JournalReadOptions } from "@podfleet/journal/record/read";
import type { JournalRetention } from "@podfleet/journal/retention/retention";
import { PodfleetError } from "@podfleet/model/errors";
import { firstExtraDescriptor } from "@podfleet/model/exec";
import type { ContainerId, ExecId } from "@podfleet/model/ids";

import type { EnginePaths } from "../host/engine-paths.ts";
import { hasProcess, isRestarting } from "../state/container-process.ts";
import type { ExecStore } from "../state/exec-store.ts";
import type { StateStore } from "../state/state-store.ts";

export interface JournalReference {
  readonly containerId: ContainerId;
  /** The exec session whose journal it is, instead of the container's. */
  readonly execId?: ExecId | undefined;
  /** A further descriptor of the exec session's command, whose output is in a file of its own, as bytes without records. */
  readonly descriptor?: number | undefined;
}

export interface JournalSource extends Pick<
  JournalReadOptions,
  "mayGrow" | "subscribe" | "isPlain" | "keptFrom"
> {
  readonly path: string;
}

export interface JournalSources {
  readonly execs: Pick<ExecStore, "find" | "get" | "onChange">;
  readonly journals: Pick<JournalRetention, "keptFrom">;
  readonly paths: Pick<EnginePaths, "execDescriptor" | "execJournal" | "journal">;
  readonly store: Pick<StateStore, "find" | "findRemoved" | "get" | "onChange">;
}

/**
 * Finds a journal and how long it may grow. The journals of a removed container and its exec sessions are kept for ten more minutes.
 * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND; INVALID_INPUT for a descriptor that the session does not have
 */
export function findJournal(sources: JournalSources, reference: JournalReference): JournalSource {
  const { containerId: id, execId, descriptor } = reference;
  const { journals, paths, store } = sources;
  if (execId !== undefined) return findExecJournal(sources, { ...reference, execId });
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
  { execs, journals, paths }: JournalSources,
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
