import { Loop, type LoopFailure, type LoopResult } from "@podfleet/base/loop";
import type { Database } from "@podfleet/db/database";
import { touchHosts } from "@podfleet/db/hosts";
import { heartbeatIntervalMs } from "@podfleet/model/host";
import type { HostId } from "@podfleet/model/ids";

/** The time between two writes; far below hostSilenceMaxMs. */
const gatherMs = 100;

/** Records the heartbeats of agents in batches: one statement for all that arrive within an interval. */
export class Heartbeats {
  readonly loop: Loop;
  readonly #database: Database;
  /** When each host was last heard; only hosts that are not yet recorded. */
  readonly #heardMs = new Map<HostId, number>();

  constructor(database: Database, onFailure: (failure: LoopFailure) => void) {
    this.#database = database;
    this.loop = new Loop({
      name: "heartbeats",
      backoff: { minMs: gatherMs, maxMs: 500 },
      run: async () => await this.#write(),
      onFailure,
    });
  }

  heard(hostId: HostId): void {
    this.#heardMs.set(hostId, performance.now());
    this.loop.trigger(gatherMs);
  }

  async #write(): Promise<LoopResult> {
    const heard = [...this.#heardMs];
    this.#heardMs.clear();
    if (heard.length === 0) return { hosts: 0 };
    try {
      const ids = heard.map(([id]) => id);
      await touchHosts(this.#database, ids);
    } catch (error) {
      this.#keep(heard);
      throw error;
    }
    return { hosts: heard.length };
  }

  /** Keeps heartbeats that Postgres did not take, so that its outage does not make hosts look silent. Older ones are left out: those hosts may be silent indeed. */
  #keep(heard: readonly (readonly [HostId, number])[]): void {
    const sinceMs = performance.now() - 2 * heartbeatIntervalMs;
    const recent = heard.filter(([id, ms]) => ms > sinceMs && !this.#heardMs.has(id));
    for (const [id, ms] of recent) this.#heardMs.set(id, ms);
  }
}
