import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";

import type { Clock } from "@podfleet/base/clock";
import type { JournalRetention } from "@podfleet/journal/retention/retention";
import { type ContainerId, containerIdSchema } from "@podfleet/model/ids";

import { pruneExecs } from "./exec/exec-pruning.ts";
import type { EnginePaths } from "./host/engine-paths.ts";
import { outcomeKeptMs } from "./operation/operation-runner.ts";
import type { ExecStore } from "./state/exec-store.ts";
import type { StateStore } from "./state/state-store.ts";

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
}

/** Deletes records and files that have been kept long enough: of operations, removed containers, their journals, ended exec sessions. */
export class Housekeeper {
  readonly #parts: HousekeeperParts;
  readonly #onFailure: (error: unknown) => void;
  readonly #stop = new AbortController();
  readonly #stopped: Promise<void>;

  constructor(parts: HousekeeperParts, onFailure: (error: unknown) => void) {
    this.#parts = parts;
    this.#onFailure = onFailure;
    this.#stopped = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#stopped;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#tidy();
        await this.#parts.clock.sleep(intervalMs, signal);
      } catch (error) {
        if (!signal.aborted) this.#onFailure(error);
      }
    }
  }

  async #tidy(): Promise<void> {
    const { clock, journals, paths, store } = this.#parts;
    const nowMs = clock.nowMs();
    store.operations.prune(nowMs - outcomeKeptMs);
    for (const id of store.removedBefore(nowMs - outcomeKeptMs)) store.forgetRemoved(id);
    const expired = new Set(store.removedBefore(nowMs - journalKeptMs));
    const ids = containerIdSchema.array().parse(await readdir(paths.journals));
    const isReadable = (id: ContainerId): boolean =>
      store.find(id) !== undefined || (store.findRemoved(id) !== undefined && !expired.has(id));
    for (const id of ids) if (!isReadable(id)) await rm(paths.journal(id), { force: true });
    await pruneExecs(this.#parts, { nowMs, isReadable });
    journals.forgetUnless(
      (id) => existsSync(paths.journal(id)) || existsSync(paths.execJournal(id)),
    );
  }
}
