import { wholeJournalLength } from "@podfleet/journal/record/whole-length";
/** What a session is about: one run of a container, or an exec session. */
import type { ContainerId, ExecId } from "@podfleet/model/ids";
import type { CommandExit, Session } from "@podfleet/model/session";

import type { EngineParts } from "../container/engine-parts.ts";
import type { CommandEnd } from "../state/session-record.ts";

/**
 * waiting  the command does not run yet
 * running  it runs, or is paused
 * ended    it has ended, and its output is in the journal up to `end.offset`
 * gone     it never ran, and will not: what it was part of is removed
 */
export type TargetState =
  | { readonly is: "waiting" | "running" | "gone" }
  | { readonly is: "ended"; readonly end: CommandEnd };

export interface SessionTarget {
  /** The same for sessions of one target. */
  readonly key: string;
  readonly journal: string;
  /** Where what is kept of it begins. */
  readonly keptFrom: () => number;
  /** Where the command's monitor works. */
  readonly bundle: string;
  /** The command has a standard input. */
  readonly stdin: boolean;
  readonly tty: boolean;
  readonly state: () => TargetState;
  /** Calls the listener when `state` may have changed; returns what ends that. */
  readonly subscribe: (listener: () => void) => () => void;
}

type Parts = Pick<EngineParts, "execs" | "journals" | "paths" | "store">;
type Subject = Pick<Session, "containerId" | "run"> & {
  readonly spec: Pick<Session["spec"], "execId">;
};

export function targetOf(parts: Parts, { containerId, run, spec }: Subject): SessionTarget {
  return spec.execId === undefined
    ? runTarget(parts, containerId, run)
    : execTarget(parts, spec.execId);
}

function runTarget({ journals, paths, store }: Parts, id: ContainerId, run: number): SessionTarget {
  const journal = paths.journal(id);
  const state = (): TargetState => {
    const present = store.find(id)?.snapshot;
    const snapshot = present ?? store.findRemoved(id);
    if (snapshot === undefined) return { is: "gone" };
    if (snapshot.exitedRun >= run) {
      const { exitCode = null, outputEnd = null } = store.findExit(id, run) ?? {};
      const exit = exitOf(exitCode ?? undefined);
      return { is: "ended", end: { offset: outputEnd ?? wholeJournalLength(journal), exit } };
    }
    if (present === undefined) return { is: "gone" };
    return { is: present.run === run ? "running" : "waiting" };
  };
  const spec = store.find(id)?.spec;
  return {
    ...{ key: `${id} ${run}`, journal, state },
    keptFrom: () => journals.keptFrom(id),
    ...{ bundle: paths.bundle(id), stdin: spec?.stdin ?? false, tty: spec?.tty ?? false },
    subscribe: (listener) => store.onChange(id, listener),
  };
}

function execTarget({ execs, journals, paths }: Parts, id: ExecId): SessionTarget {
  const journal = paths.execJournal(id);
  const state = (): TargetState => {
    const session = execs.find(id)?.session;
    switch (session?.state) {
      case undefined:
        return { is: "gone" };
      case "created":
        return { is: "waiting" };
      case "running":
        return { is: "running" };
      case "exited": {
        const exit = { ...exitOf(session.exitCode), timedOut: session.timedOut };
        return {
          is: "ended",
          end: {
            offset: wholeJournalLength(journal),
            exit: { ...exit, exitUnknown: session.exitUnknown },
          },
        };
      }
    }
  };
  const spec = execs.find(id)?.session.spec;
  return {
    ...{ key: id, journal, state },
    keptFrom: () => journals.keptFrom(id),
    ...{ bundle: paths.execBundle(id), stdin: spec?.stdin ?? false, tty: spec?.tty ?? false },
    subscribe: (listener) => execs.onChange(id, listener),
  };
}

function exitOf(exitCode: number | undefined): CommandExit {
  return {
    ...(exitCode === undefined ? {} : { exitCode }),
    exitUnknown: exitCode === undefined,
    timedOut: false,
  };
}
