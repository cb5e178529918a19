/** The target of a session, whose output it reads: one run of a container, or an exec session. */
import { wholeJournalLength } from "@podfleet/journal/record/whole-length";
import type { JournalRetention } from "@podfleet/journal/retention/retention";
import type { ContainerId, ExecId } from "@podfleet/model/ids";
import type { CommandExit, Session } from "@podfleet/model/session";

import type { EnginePaths } from "../host/engine-paths.ts";
import type { ExecStore } from "../state/exec-store.ts";
import type { CommandEnd } from "../state/session-record.ts";
import type { StateStore } from "../state/state-store.ts";

/**
 * waiting  the command does not run yet
 * running  the command runs, or is paused
 * ended    the command has ended, and its output is in the journal up to `end.offset`
 * gone     the command never ran, and will not: its container or exec session was removed
 */
export type TargetState =
  | { readonly is: "waiting" | "running" | "gone" }
  | { readonly is: "ended"; readonly end: CommandEnd };

export interface SessionTarget {
  /** The same for sessions of one target. */
  readonly key: string;
  readonly journal: string;
  /** Returns the offset at which the kept part of the journal begins. */
  readonly keptFrom: () => number;
  /** Working directory of the command's monitor. */
  readonly bundle: string;
  /** The command has a standard input. */
  readonly stdin: boolean;
  readonly tty: boolean;
  readonly state: () => TargetState;
  /** Calls the listener when `state` may have changed, until the returned function is called. */
  readonly subscribe: (listener: () => void) => () => void;
}

export interface SessionTargetSources {
  readonly execs: Pick<ExecStore, "find" | "onChange">;
  readonly journals: Pick<JournalRetention, "keptFrom">;
  readonly paths: Pick<EnginePaths, "bundle" | "execBundle" | "execJournal" | "journal">;
  readonly store: Pick<StateStore, "find" | "findExit" | "findRemoved" | "onChange">;
}

type TargetReference = Pick<Session, "containerId" | "run"> & {
  readonly spec: Pick<Session["spec"], "execId">;
};

/** Finds the target of a session, which may be removed already. */
export function targetOf(
  sources: SessionTargetSources,
  { containerId, run, spec }: TargetReference,
): SessionTarget {
  return spec.execId === undefined
    ? runTarget(sources, containerId, run)
    : execTarget(sources, spec.execId);
}

function runTarget(
  { journals, paths, store }: SessionTargetSources,
  id: ContainerId,
  run: number,
): SessionTarget {
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

function execTarget({ execs, journals, paths }: SessionTargetSources, id: ExecId): SessionTarget {
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
