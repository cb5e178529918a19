/** One NATS connection, with the errors and bounds that the rest of the package relies on. */
import {
  connect,
  credsAuthenticator,
  errors,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Status,
} from "@nats-io/transport-node";
import { backoffMs } from "@podfleet/base/backoff";
import { systemClock } from "@podfleet/base/clock";
import { withDeadline } from "@podfleet/base/deadline";
import { hasCode, PodfleetError } from "@podfleet/model/errors";

import { raceAborts } from "./abort.ts";

/**
 * disconnected       the link is down; it keeps trying
 * reconnected        it is up again, with its subscriptions
 * permission-denied  the server refused a publish or a subscription
 * error              the server reported an error: credentials revoked, a slow consumer
 */
export type LinkEvent =
  | { readonly type: "disconnected" }
  | { readonly type: "reconnected" }
  | {
      readonly type: "permission-denied";
      readonly operation: "publish" | "subscription";
      readonly subject: string;
    }
  | { readonly type: "error"; readonly error: Error };

export interface LinkOptions {
  readonly servers: string | readonly string[];
  readonly credentials: string;
  readonly inboxPrefix: string;
  readonly name: string;
  /** Unix time in ms at which `openLink` gives up. */
  readonly deadline: number;
  readonly onEvent: (event: LinkEvent) => void;
}

/** Whether a request that failed may have reached its receiver. */
export type Delivered = false | "unknown";

export interface LinkRequestOptions {
  readonly headers?: MsgHdrs;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Makes the error for a receiver that does not exist (`false`) or did not answer in time (`"unknown"`). */
  readonly unreachable: (delivered: Delivered, cause: unknown) => PodfleetError;
}

const attemptTimeoutMs = 3_000;
const closeTimeoutMs = 2_000;
const pingIntervalMs = 2_000;
const pingsUnansweredMax = 2;

/** @throws PodfleetError UNAVAILABLE at the deadline, with the last attempt's error as its cause */
export async function openLink(options: LinkOptions): Promise<Link> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return new Link(await attemptConnect(options), options.onEvent);
    } catch (error) {
      const delayMs = backoffMs(attempt, { minMs: 50, maxMs: 1_000 });
      if (Date.now() + delayMs >= options.deadline) throw noServer(options, error);
      await systemClock.sleep(delayMs);
    }
  }
}

export class Link {
  readonly #connection: NatsConnection;
  readonly #emit: (event: LinkEvent) => void;
  readonly #watching: Promise<void>;
  /** Aborted when the link goes down, and replaced when it is up again. */
  #up = new AbortController();

  constructor(connection: NatsConnection, emit: (event: LinkEvent) => void) {
    this.#connection = connection;
    this.#emit = emit;
    this.#watching = this.#watch();
  }

  get connected(): boolean {
    return !this.#up.signal.aborted && !this.#isEnding;
  }

  get #isEnding(): boolean {
    return this.#connection.isClosed() || this.#connection.isDraining();
  }

  /**
   * Sends a request and waits for its one reply.
   * @throws PodfleetError the one that `unreachable` makes; UNAVAILABLE when the link is, or goes, down or closed; CANCELLED when `signal`
   *   is aborted; INVALID_INPUT when the payload exceeds the server's limit. `details.delivered` says whether the request may have arrived
   */
  async request(subject: string, payload: Uint8Array, options: LinkRequestOptions): Promise<Msg> {
    if (options.signal?.aborted) throw cancelled(false);
    if (!this.connected) throw linkDown(false);
    this.#assertFits(subject, payload);
    const reply = this.#connection.request(subject, payload, {
      timeout: Math.max(1, options.timeoutMs),
      ...(options.headers ? { headers: options.headers } : {}),
    });
    try {
      return await raceAborts(reply, [
        { signal: this.#up.signal, makeError: () => linkDown("unknown") },
        ...(options.signal
          ? [{ signal: options.signal, makeError: () => cancelled("unknown") }]
          : []),
      ]);
    } catch (error) {
      if (error instanceof errors.RequestError && error.isNoResponders()) {
        throw options.unreachable(false, error);
      }
      if (error instanceof errors.TimeoutError) throw options.unreachable("unknown", error);
      if (this.#isEnding) throw linkDown("unknown");
      throw PodfleetError.from(error);
    }
  }

  /** Publishes without waiting for a reply. @throws PodfleetError UNAVAILABLE when the link is down: messages are not queued */
  publish(subject: string, payload: Uint8Array, headers?: MsgHdrs): void {
    if (!this.connected) throw linkDown(false);
    this.#assertFits(subject, payload);
    this.#connection.publish(subject, payload, headers ? { headers } : {});
  }

  /** Calls `handler` with each message until the returned function is called. Survives reconnects. */
  subscribe(subject: string, handler: (message: Msg) => void, queue?: string): () => void {
    const subscription = this.#connection.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        // Safe to ignore: a refused subscription is reported as a status of the connection too.
        if (!error) handler(message);
      },
    });
    return () => subscription.unsubscribe();
  }

  /**
   * Resolves when the server has processed all that was sent before, subscriptions among it.
   * @throws PodfleetError UNAVAILABLE when the link is down or goes down
   */
  async flush(): Promise<void> {
    const flushed = this.#connection.flush();
    try {
      await withDeadline(flushed, closeTimeoutMs, () => linkDown("unknown"));
    } catch (error) {
      // The connection was lost before the server answered.
      if (error instanceof errors.RequestError || this.#isEnding) throw linkDown("unknown");
      throw error;
    }
  }

  /** Resolves when the server has the subscriptions made before, or at once when the link is down: reconnecting renews them. */
  async subscribed(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      if (!hasCode(error, "UNAVAILABLE")) throw error;
    }
  }

  async close(): Promise<void> {
    if (this.connected) {
      await withDeadline(this.#connection.drain(), closeTimeoutMs, () => linkDown("unknown")).catch(
        (error: unknown) => this.#emit({ type: "error", error: PodfleetError.from(error) }),
      );
    }
    await this.#connection.close();
    await this.#watching;
  }

  #assertFits(subject: string, payload: Uint8Array): void {
    const bytesMax = this.#connection.info?.max_payload ?? 0;
    // The server counts the headers too.
    if (payload.length + headerRoomBytes <= bytesMax) return;
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot send a message to "${subject}": it has ${payload.length} bytes, must be at most ${bytesMax - headerRoomBytes}`,
      { details: { delivered: false } },
    );
  }

  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) this.#onStatus(status);
    this.#up.abort();
  }

  #onStatus(status: Status): void {
    switch (status.type) {
      case "disconnect":
        this.#up.abort();
        return this.#emit({ type: "disconnected" });
      case "reconnect":
        this.#up = new AbortController();
        return this.#emit({ type: "reconnected" });
      case "error":
        return this.#emit(errorEvent(status.error));
      case "slowConsumer":
        return this.#emit({
          type: "error",
          error: new Error(`Slow consumer of "${status.sub.getSubject()}"`),
        });
      case "close":
      case "forceReconnect":
      case "ldm":
      case "ping":
      case "reconnecting":
      case "staleConnection":
      case "update":
        return;
    }
  }
}

const headerRoomBytes = 4 * 1024;

/** One attempt, with a deadline: the NATS client's own timeout does not cover every hang (a refused account). */
async function attemptConnect(options: LinkOptions): Promise<NatsConnection> {
  const attempt = connect({
    servers: typeof options.servers === "string" ? options.servers : [...options.servers],
    authenticator: credsAuthenticator(new TextEncoder().encode(options.credentials)),
    inboxPrefix: options.inboxPrefix,
    name: options.name,
    timeout: attemptTimeoutMs,
    pingInterval: pingIntervalMs,
    maxPingOut: pingsUnansweredMax,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    reconnectDelayHandler: () => 100 + Math.round(Math.random() * 400),
  });
  let isLate = false;
  void attempt.then(
    async (connection) => {
      if (isLate) await connection.close();
    },
    // Safe to ignore: the caller below awaits the same promise and reports it.
    () => undefined,
  );
  return await withDeadline(attempt, attemptTimeoutMs + 500, () => {
    isLate = true;
    return new Error("The NATS server did not complete the connection");
  });
}

function errorEvent(error: Error): LinkEvent {
  if (error instanceof errors.PermissionViolationError) {
    return { type: "permission-denied", operation: error.operation, subject: error.subject };
  }
  return { type: "error", error };
}

function noServer(options: LinkOptions, cause: unknown): PodfleetError {
  const servers = typeof options.servers === "string" ? [options.servers] : options.servers;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PodfleetError(
    "UNAVAILABLE",
    `Cannot connect to NATS at "${servers.join('", "')}": ${reason}`,
    { cause },
  );
}

function linkDown(delivered: Delivered): PodfleetError {
  return new PodfleetError("UNAVAILABLE", "Cannot reach NATS: the connection is down", {
    details: { delivered },
  });
}

function cancelled(delivered: Delivered): PodfleetError {
  return new PodfleetError("CANCELLED", "The caller gave up the request", {
    details: { delivered },
  });
}
