import type { Database } from "@podfleet/db/database";
import { touchHosts } from "@podfleet/db/hosts";
import type { HostId } from "@podfleet/model/ids";
import type { Logger } from "pino";

/** Far below hostSilenceMaxMs. */
const gatherMs = 100;

/** Notes which agents were heard, many at a time: one statement for all that speak within a moment. */
export class Heartbeats {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #heard = new Set<HostId>();
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  heard(hostId: HostId): void {
    this.#heard.add(hostId);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#write(this.#writing);
    }, gatherMs);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
  }

  async #write(previous: Promise<void>): Promise<void> {
    await previous;
    const heard = [...this.#heard];
    this.#heard.clear();
    try {
      await touchHosts(this.#database, heard);
    } catch (error) {
      // Safe to ignore: the next heartbeats say the same.
      this.#logger.warn({ err: error, hosts: heard.length }, "cannot note heartbeats");
    }
  }
}
