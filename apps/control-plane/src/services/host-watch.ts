/**
 * Cuts long requests to a host short when waiting is pointless: its agent has fallen silent, or has said hello again, so
 * that the request may have been lost with the agent's earlier process. One query a second serves all waiting requests.
 */
import { Loop, type LoopFailure } from "@podfleet/base/loop";
import type { Database } from "@podfleet/db/database";
import { type HostLiveness, listHostLiveness } from "@podfleet/db/hosts";
import type { HostId } from "@podfleet/model/ids";

const intervalMs = 1_000;

export type WatchedHost = Pick<HostLiveness, "id" | "helloCount">;

export type Watched<T> =
  | { readonly type: "done"; readonly value: T }
  | { readonly type: "silent" }
  /** `host` is the record to watch from now on. */
  | { readonly type: "restarted"; readonly host: WatchedHost };

type Verdict = Exclude<Watched<never>, { readonly type: "done" }>;

interface Watcher {
  readonly host: WatchedHost;
  readonly abort: AbortController;
  verdict?: Verdict;
}

export class HostWatch {
  readonly loop: Loop;
  readonly #database: Database;
  readonly #watchers = new Set<Watcher>();

  constructor(database: Database, onFailure: (failure: LoopFailure) => void) {
    this.#database = database;
    this.loop = new Loop({
      name: "host-watch",
      intervalMs,
      backoff: { minMs: intervalMs, maxMs: intervalMs },
      run: async () => await this.#look(),
      onFailure,
    });
  }

  /** Runs `request`. Its signal is aborted when the host is silent or has restarted, or `signal` is aborted. */
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
    const hosts = await listHostLiveness(this.#database);
    const byId = new Map(hosts.map((host) => [host.id, host]));
    for (const watcher of this.#watchers) this.#judge(watcher, byId);
  }

  #judge(watcher: Watcher, hosts: ReadonlyMap<HostId, HostLiveness>): void {
    const present = hosts.get(watcher.host.id);
    if (present?.state !== "ready") watcher.verdict = { type: "silent" };
    else if (present.helloCount !== watcher.host.helloCount) {
      watcher.verdict = { type: "restarted", host: present };
    } else return;
    watcher.abort.abort();
  }
}
