/**
 * Reports the host's events to the control plane.
 *
 *     connected ──hello──▶ greeted ──events in order, each batch until it is committed──▶ waiting for more
 *         ▲                   │
 *         └──── reconnected, or the control plane does not know the host
 *
 * The engine's outbox keeps each event until Postgres has it; the reporter keeps nothing. A message that is lost
 * is sent again, and memory holds one batch at most. Heartbeats are sent independently and never late.
 */
import { Loop, type LoopFailure, type LoopResult } from "@podfleet/base/loop";
import { pause } from "@podfleet/base/pause";
import type { AgentClient } from "@podfleet/bus/agent-client";
import type { Engine } from "@podfleet/engine/engine";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { AgentEvent } from "@podfleet/model/event";
import { type HostInfo, heartbeatIntervalMs } from "@podfleet/model/host";
import type { Logger } from "pino";

import { logLoopFailure } from "./loop-failure.ts";

export interface ReporterOptions {
  readonly client: Pick<AgentClient, "hello" | "sendEvents" | "heartbeat">;
  readonly engine: Pick<Engine, "containers" | "images" | "outbox">;
  readonly host: HostInfo;
  readonly log: Logger;
}

/** The bound of a reply. A control plane that was killed does not answer, so another is asked soon. */
const requestTimeoutMs = 2_000;
const retryDelay = { minMs: 100, maxMs: 5_000 };
const batchEventsMax = 256;
/** The most bytes of events in a batch; below NATS's message limit of 1 MiB. */
const batchBytesMax = 768 * 1024;
/** The delay of an operation's events: its reply holds the outcome already, and events that follow join the batch. */
const lingerMs = 50;
/** The delay of other events, such as exits: open waits are answered first. */
const unaskedLingerMs = 10;
/** Failed runs in a row after which an operator should know. */
const failuresUntilWarning = 4;

export class Reporter {
  readonly loops: readonly Loop[];
  readonly #options: ReporterOptions;
  readonly #reports: Loop;
  /** Whether the control plane has answered a hello on this connection. */
  #isGreeted = false;
  #connections = 0;
  /** The seq of the last event that the control plane has. */
  #committedSeq = 0;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#reports = new Loop({
      name: "reports",
      backoff: retryDelay,
      run: async (signal) => await this.#report(signal),
      onFailure: (failure) => this.#logFailure(failure),
    });
    const heartbeats = new Loop({
      name: "heartbeats",
      intervalMs: heartbeatIntervalMs,
      backoff: { minMs: heartbeatIntervalMs, maxMs: heartbeatIntervalMs },
      run: () => this.sendHeartbeat(),
      onFailure: logLoopFailure(options.log),
    });
    this.loops = [this.#reports, heartbeats];
  }

  /** Says hello again on a new connection. */
  reconnected(): void {
    this.#connections += 1;
    this.#isGreeted = false;
    this.#reports.retry();
  }

  /** Reports until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const stopListening = this.#options.engine.outbox.onAppend((event) => this.#appended(event));
    for (const loop of this.loops) loop.start();
    await pause(Number.POSITIVE_INFINITY, signal);
    stopListening();
    await Promise.all(this.loops.map(async (loop) => await loop.stop()));
  }

  /** Publishes the host's condition; does nothing while NATS is out of reach. */
  sendHeartbeat(): void {
    const { client, engine } = this.#options;
    const states = engine.containers().map(({ state }) => state);
    const containers: Record<string, number> = {};
    for (const state of states) containers[state] = (containers[state] ?? 0) + 1;
    try {
      client.heartbeat({ containers, seq: engine.outbox.lastSeq() });
    } catch (error) {
      // A late heartbeat has no use, so none is queued.
      if (!hasCode(error, "UNAVAILABLE")) throw error;
    }
  }

  #appended({ operation }: AgentEvent): void {
    this.#reports.trigger(operation === undefined ? unaskedLingerMs : lingerMs);
  }

  async #report(signal: AbortSignal): Promise<LoopResult> {
    try {
      return { events: await this.#sendNext(signal) };
    } catch (error) {
      if (hasCode(error, "HOST_NOT_FOUND")) this.#isGreeted = false;
      throw error;
    }
  }

  /** Sends a batch of the outbox and has the next one follow, so that a batch that was taken ends a back-off. @returns its length */
  async #sendNext(signal: AbortSignal): Promise<number> {
    if (!this.#isGreeted) await this.#greet(signal);
    const events = this.#options.engine.outbox.after(this.#committedSeq, batchEventsMax);
    const count = events.length > 0 ? await this.#send(events, signal) : 0;
    if (this.#reports.status.failures >= failuresUntilWarning) {
      this.#options.log.info("Reporting again");
    }
    const isAll = events.length === 0 || this.#committedSeq === events.at(-1)?.seq;
    if (!isAll || events.length === batchEventsMax || !this.#isGreeted) this.#reports.trigger();
    return count;
  }

  async #greet(signal: AbortSignal): Promise<void> {
    const { client, engine, host, log } = this.#options;
    const connection = this.#connections;
    const request = { host, images: engine.images() };
    const { committedSeq } = await client.hello(request, { timeoutMs: requestTimeoutMs, signal });
    const lastSeq = engine.outbox.lastSeq();
    if (committedSeq > lastSeq) {
      throw new PodfleetError(
        "CONFLICT",
        `Cannot report for host "${host.name}": the control plane has events up to ${committedSeq} of it, its data root ends at ${lastSeq}; a new data root needs a new host id`,
      );
    }
    log.info({ committedSeq, lastSeq }, "The control plane knows the host");
    this.#commit(committedSeq);
    this.#isGreeted = connection === this.#connections;
  }

  async #send(events: readonly AgentEvent[], signal: AbortSignal): Promise<number> {
    const batch = batchOf(events);
    const { committedSeq } = await this.#options.client.sendEvents(
      { events: batch },
      { timeoutMs: requestTimeoutMs, signal },
    );
    if (committedSeq === this.#committedSeq) {
      throw new PodfleetError(
        "INTERNAL",
        `The control plane took none of the events after ${committedSeq} and gave no reason`,
      );
    }
    this.#commit(committedSeq);
    return batch.length;
  }

  #commit(seq: number): void {
    this.#options.engine.outbox.commit(seq);
    this.#committedSeq = seq;
  }

  #logFailure({ error, failures }: LoopFailure): void {
    const { code, message: reason, retryable } = PodfleetError.from(error);
    const level = failures >= failuresUntilWarning || !retryable ? "warn" : "debug";
    this.#options.log[level]({ code, failures, reason }, "Not reported");
  }
}

/** The longest run of `events` that fits a message; at least one. */
function batchOf(events: readonly AgentEvent[]): AgentEvent[] {
  let bytes = 0;
  const tooMany = events.findIndex((event, index) => {
    bytes += Buffer.byteLength(JSON.stringify(event));
    return index > 0 && bytes > batchBytesMax;
  });
  return tooMany < 0 ? [...events] : events.slice(0, tooMany);
}
