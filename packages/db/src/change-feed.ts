/** Listens for Postgres' notifications of committed events, on a connection of its own that reconnects. */
import { Loop, type LoopFailure } from "@podfleet/base/loop";
import { Client } from "pg";

export const eventChannel = "podfleet_events";

export interface ChangeFeedOptions {
  readonly url: string;
  readonly applicationName: string;
  readonly onFailure: (failure: LoopFailure) => void;
}

interface FeedConnection {
  readonly client: Client;
  isLost: boolean;
}

/** Delay of the next attempt after the loss of a connection. */
const reconnectDelayMs = 50;
const connectTimeoutMs = 5_000;

/** Wakes readers that wait for events. A wake-up is a hint: a reader queries after each, and also after some time without one. */
export class ChangeFeed {
  readonly loop: Loop;
  readonly #options: ChangeFeedOptions;
  readonly #waiting = new Set<() => void>();
  #connection: FeedConnection | undefined;
  #version = 0;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
    this.loop = new Loop({
      name: "change-feed",
      backoff: { minMs: 100, maxMs: 5_000 },
      run: async () => await this.#connect(),
      onFailure: options.onFailure,
    });
  }

  /** Closes the connection and wakes the readers that wait. Stop the loop before. */
  async close(): Promise<void> {
    this.#wake();
    await this.#connection?.client.end();
  }

  /** Grows with each wake-up. Read it before a query and pass it to `changedSince`, so that no wake-up in between is missed. */
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

  /** Listens on a new connection unless there is one. Its loss triggers the next run. */
  async #connect(): Promise<void> {
    if (this.#connection?.isLost === false) return;
    await this.#connection?.client.end();
    const client = new Client({
      connectionString: this.#options.url,
      application_name: this.#options.applicationName,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
    });
    const connection: FeedConnection = { client, isLost: false };
    this.#connection = connection;
    client.on("error", (error) => this.#lost(connection, error));
    client.on("end", () => this.#lost(connection));
    client.on("notification", () => this.#wake());
    try {
      await client.connect();
      await client.query(`listen ${eventChannel}`);
    } catch (error) {
      connection.isLost = true;
      throw error;
    }
    this.#wake();
  }

  #lost(connection: FeedConnection, error?: Error): void {
    if (connection.isLost) return;
    connection.isLost = true;
    this.loop.trigger(reconnectDelayMs);
    const { name } = this.loop;
    if (error) this.#options.onFailure({ name, error, failures: 1 });
  }

  #wake(): void {
    this.#version += 1;
    for (const resolve of this.#waiting) resolve();
  }
}
