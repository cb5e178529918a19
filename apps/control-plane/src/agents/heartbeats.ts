import type { Database } from "@podfleet/db/database";
import { touchHosts } from "@podfleet/db/hosts";
import { heartbeatIntervalMs } from "@podfleet/model/host";
import type { HostId } from "@podfleet/model/ids";
import type { Logger } from "pino";

/** Far below hostSilenceMaxMs. */
const gatherMs = 100;

/** Notes which agents were heard, many at a time: one statement for all that speak within a moment. */
export class Heartbeats {
  readonly #database: Database;
  readonly #logger: Logger;
  /** When each was last heard of those that are yet to be noted. */
  readonly #heardMs = new Map<HostId, number>();
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #isFailing = false;

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  heard(hostId: HostId): void {
    this.#heardMs.set(hostId, performance.now());
    this.#writeSoon();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
    // A write that failed meanwhile has set another.
    clearTimeout(this.#timer);
  }

  #writeSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#write(this.#writing);
    }, gatherMs);
  }

  async #write(previous: Promise<void>): Promise<void> {
    await previous;
    const heard = [...this.#heardMs];
    this.#heardMs.clear();
    try {
      const ids = heard.map(([id]) => id);
      await touchHosts(this.#database, ids);
      this.#isFailing = false;
    } catch (error) {
      const level = this.#isFailing ? "debug" : "warn";
      this.#logger[level]({ err: error, hosts: heard.length }, "cannot note heartbeats");
      this.#isFailing = true;
      this.#keep(heard);
    }
  }

  /** So that hosts do not look silent for longer than Postgres was. Those not heard since are left out: they may be. */
  #keep(heard: readonly (readonly [HostId, number])[]): void {
    const sinceMs = performance.now() - 2 * heartbeatIntervalMs;
    const recent = heard.filter(([id, ms]) => ms > sinceMs && !this.#heardMs.has(id));
    for (const [id, ms] of recent) this.#heardMs.set(id, ms);
    if (this.#heardMs.size > 0) this.#writeSoon();
  }
}
