import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";

import { attemptAll } from "@podfleet/base/attempt-all";
import type { Clock } from "@podfleet/base/clock";
import { Loop, type LoopFailure, type LoopResult } from "@podfleet/base/loop";
import type { JournalRetention } from "@podfleet/journal/retention/retention";
import { type ContainerId, containerIdSchema } from "@podfleet/model/ids";
import type { Uploads } from "@podfleet/storage/upload/uploads";

import { pruneExecs } from "../exec/exec-pruning.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import { idsIn } from "../host/entries.ts";
import { outcomeKeptMs } from "../operation/operation-runner.ts";
import type { ExecStore } from "../state/exec-store.ts";
import type { StateStore } from "../state/state-store.ts";

const intervalMs = 60_000;
/** How long the journal of a removed container can still be read, for readers that were following it. */
const journalKeptMs = 10 * 60_000;

export interface HousekeeperParts {
  readonly clock: Clock;
  readonly paths: Pick<EnginePaths, "exec" | "execJournal" | "execs" | "journal" | "journals">;
  readonly store: Pick<
    StateStore,
    "find" | "findRemoved" | "forgetRemoved" | "operations" | "removedBefore"
  >;
  readonly execs: Pick<ExecStore, "find" | "forget" | "list">;
  readonly journals: Pick<JournalRetention, "forgetUnless">;
  readonly uploads: Pick<Uploads, "dropStale">;
}

/** Deletes records and files that have been kept long enough: of operations, removed containers, their journals, ended exec sessions, uploads. */
export class Housekeeper {
  readonly loop: Loop;
  readonly #parts: HousekeeperParts;
  readonly #onFailure: (failure: LoopFailure) => void;
  /** Paths in the engine's directories that are not the engine's, and have been reported. */
  #foreign: ReadonlySet<string> = new Set();

  constructor(parts: HousekeeperParts, onFailure: (failure: LoopFailure) => void) {
    this.#parts = parts;
    this.#onFailure = onFailure;
    const { clock } = parts;
    const run = async (): Promise<LoopResult> => await this.#tidy();
    this.loop = new Loop({ name: "housekeeper", intervalMs, clock, run, onFailure });
  }

  async close(): Promise<void> {
    await this.loop.stop();
  }

  async #tidy(): Promise<LoopResult> {
    const { clock, journals, paths, store, uploads } = this.#parts;
    const nowMs = clock.nowMs();
    const foreign = new Set<string>();
    const onForeign = (path: string): unknown => foreign.add(path);
    const isReadable = this.#readable(nowMs);
    const steps = [
      () => store.operations.prune(nowMs - outcomeKeptMs),
      () => {
        for (const id of store.removedBefore(nowMs - outcomeKeptMs)) store.forgetRemoved(id);
      },
      async () => {
        const ids = await idsIn(paths.journals, containerIdSchema, onForeign);
        const gone = ids.filter((id) => !isReadable(id));
        await attemptAll(gone, async (id) => await rm(paths.journal(id), { force: true }), 4);
      },
      async () => await pruneExecs(this.#parts, { nowMs, isReadable, onForeign }),
      () =>
        journals.forgetUnless(
          (id) => existsSync(paths.journal(id)) || existsSync(paths.execJournal(id)),
        ),
      async () => await uploads.dropStale(onForeign),
    ];
    await attemptAll(steps, (step) => step(), 1);
    this.#reportOnce(foreign);
    return { foreign: foreign.size };
  }

  /** Whether the output of a container, which may have been removed, can still be read. */
  #readable(nowMs: number): (id: ContainerId) => boolean {
    const { store } = this.#parts;
    const expired = new Set(store.removedBefore(nowMs - journalKeptMs));
    return (id) =>
      store.find(id) !== undefined || (store.findRemoved(id) !== undefined && !expired.has(id));
  }

  #reportOnce(foreign: ReadonlySet<string>): void {
    const found = [...foreign].filter((path) => !this.#foreign.has(path));
    this.#foreign = foreign;
    if (found.length === 0) return;
    const error = new Error(`Left alone, because no id names it: ${found.join(", ")}`);
    this.#onFailure({ name: this.loop.name, error, failures: 0 });
  }
}
