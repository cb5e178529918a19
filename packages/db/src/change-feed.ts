/** Postgres' notifications that events were committed, on a connection of its own that is opened again when it is lost. */
import { backoffMs } from "@podfleet/base/backoff";
import { pause } from "@podfleet/base/pause";
import { Client } from "pg";

export const eventChannel = "podfleet_events";

export interface ChangeFeedOptions {
  readonly url: string;
  readonly applicationName: string;
  readonly onError: (error: unknown) => void;
}

/** Wakes those that wait for events. A wake-up is a hint: after one, and after a time without any, they look for themselves. */
export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #waiting = new Set<() => void>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #version = 0;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#running;
  }

  /** Grows with each wake-up. Take it before looking, and wait from it, so that none in between is missed. */
  get version(): number {
    return this.#version;
  }

  /** Resolves when there was a wake-up since `version`, after `timeoutMs`, or when `signal` is aborted. */
  async changedSince(
    version: number,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { timeoutMs, signal } = options;
    if (version !== this.#version || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    const timer = setTimeout(wake, timeoutMs);
    this.#waiting.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(wake);
    signal.removeEventListener("abort", wake);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        await this.#listen(signal, () => (attempt = 0));
      } catch (error) {
        this.#options.onError(error);
      }
      await pause(backoffMs(attempt, { minMs: 100, maxMs: 5_000 }), signal);
    }
  }

  /** Until the connection is lost or `signal` is aborted. */
  async #listen(signal: AbortSignal, onConnected: () => void): Promise<void> {
    const client = new Client({
      connectionString: this.#options.url,
      application_name: this.#options.applicationName,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    });
    const lost = Promise.withResolvers<Error | undefined>();
    client.on("error", lost.resolve);
    client.on("end", () => lost.resolve(undefined));
    client.on("notification", () => this.#wake());
    const stop = (): void => lost.resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    try {
      await client.connect();
      await client.query(`listen ${eventChannel}`);
      onConnected();
      this.#wake();
      const error = await lost.promise;
      if (error) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      await client.end();
    }
  }

  #wake(): void {
    this.#version += 1;
    for (const resolve of this.#waiting) resolve();
  }
}
