/**
 * Long requests to a host, cut short when waiting on is pointless: its agent has fallen silent, or has said hello again, so
 * that the request may have been lost with the agent's former life. One query a second serves all that wait.
 */
import type { Database } from "@podfleet/db/database";
import { type HostLiveness, listHostLiveness } from "@podfleet/db/hosts";
import type { HostId } from "@podfleet/model/ids";
import type { Logger } from "pino";

const intervalMs = 1_000;

export type WatchedHost = Pick<HostLiveness, "id" | "sessions">;

export type Watched<T> =
  | { readonly type: "done"; readonly value: T }
  | { readonly type: "silent" }
  /** `host` is what to watch from now on. */
  | { readonly type: "restarted"; readonly host: WatchedHost };

type Verdict = Exclude<Watched<never>, { readonly type: "done" }>;

interface Watcher {
  readonly host: WatchedHost;
  readonly abort: AbortController;
  verdict?: Verdict;
}

export class HostWatch {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #watchers = new Set<Watcher>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    }, intervalMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Runs `request`, whose signal is aborted when the watch ends it or `signal` is aborted. */
  async during<T>(
    host: WatchedHost,
    signal: AbortSignal,
    request: (signal: AbortSignal) => Promise<T>,
  ): Promise<Watched<T>> {
    const watcher: Watcher = { host, abort: new AbortController() };
    this.#watchers.add(watcher);
    try {
      const value = await request(AbortSignal.any([signal, watcher.abort.signal]));
      return { type: "done", value };
    } catch (error) {
      if (watcher.verdict) return watcher.verdict;
      throw error;
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  async #look(): Promise<void> {
    if (this.#watchers.size === 0) return;
    try {
      const hosts = await listHostLiveness(this.#database);
      const byId = new Map(hosts.map((host) => [host.id, host]));
      for (const watcher of this.#watchers) this.#judge(watcher, byId);
    } catch (error) {
      // Safe to ignore: those who wait go on waiting, and the next look is a second away.
      this.#logger.warn({ err: error }, "cannot look at the hosts' liveness");
    }
  }

  #judge(watcher: Watcher, hosts: ReadonlyMap<HostId, HostLiveness>): void {
    const present = hosts.get(watcher.host.id);
    if (present?.state !== "ready") watcher.verdict = { type: "silent" };
    else if (present.sessions !== watcher.host.sessions) {
      watcher.verdict = { type: "restarted", host: present };
    } else return;
    watcher.abort.abort();
  }
}
