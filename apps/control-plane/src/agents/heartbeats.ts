import { Loop, type LoopFailure, type LoopResult } from "@podfleet/base/loop";
import type { Database } from "@podfleet/db/database";
import { touchHosts } from "@podfleet/db/hosts";
import { heartbeatIntervalMs } from "@podfleet/model/host";
import type { HostId } from "@podfleet/model/ids";

/** Far below hostSilenceMaxMs. */
const gatherMs = 100;

/** Notes which agents were heard, many at a time: one statement for all that speak within a moment. */
export class Heartbeats {
  readonly loop: Loop;
  readonly #database: Database;
  /** When each was last heard of those that are yet to be noted. */
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

  /** So that hosts do not look silent for longer than Postgres was. Those not heard since are left out: they may be. */
  #keep(heard: readonly (readonly [HostId, number])[]): void {
    const sinceMs = performance.now() - 2 * heartbeatIntervalMs;
    const recent = heard.filter(([id, ms]) => ms > sinceMs && !this.#heardMs.has(id));
    for (const [id, ms] of recent) this.#heardMs.set(id, ms);
  }
}
