/**
 * Tells the control plane what happens on the host.
 *
 *     connected ──hello──▶ greeted ──events in order, each batch until it is committed──▶ waiting for more
 *         ▲                   │
 *         └──── reconnected, or the control plane does not know the host
 *
 * The engine's outbox keeps each event until Postgres has it; the reporter keeps nothing. So whatever is lost on the way
 * is sent again, and memory holds one batch at most. Heartbeats go out beside this and are never sent late.
 */
import { backoffMs } from "@podfleet/base/backoff";
import { systemClock } from "@podfleet/base/clock";
import type { AgentClient } from "@podfleet/bus/agent-client";
import type { Engine } from "@podfleet/engine/engine";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { AgentEvent } from "@podfleet/model/event";
import { type HostInfo, heartbeatIntervalMs } from "@podfleet/model/host";
import type { Logger } from "pino";

import { Bell } from "./bell.ts";

export interface ReporterOptions {
  readonly client: Pick<AgentClient, "hello" | "sendEvents" | "heartbeat">;
  readonly engine: Pick<Engine, "containers" | "images" | "outbox">;
  readonly host: HostInfo;
  readonly log: Logger;
}

/** A control plane that was killed does not answer: the next one is asked soon. */
const requestTimeoutMs = 2_000;
const retryDelay = { minMs: 100, maxMs: 5_000 };
const batchEventsMax = 256;
/** Leaves room below NATS's limit of 1 MiB for a message. */
const batchBytesMax = 768 * 1024;
/** How long what an operation did is held back: its reply tells the same, and with what follows it makes one batch. */
const lingerMs = 50;
/** The same for what nobody asked for: those who wait for it are answered first. */
const unaskedLingerMs = 10;
/** Failed attempts in a row after which an operator should know. */
const attemptsUntilWarning = 4;

export class Reporter {
  readonly #options: ReporterOptions;
  /** Rings when there may be something to send. */
  readonly #work = new Bell();
  /** Rings when a retry need not wait any longer. */
  readonly #reconnects = new Bell();
  /** Last event that the control plane has; undefined until it has answered a hello on this connection. */
  #committedSeq: number | undefined;
  #lingering: { readonly dueMs: number; readonly timer: NodeJS.Timeout } | undefined;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Says hello again: the connection is a new one. */
  reconnected(): void {
    this.#committedSeq = undefined;
    this.#work.ring();
    this.#reconnects.ring();
  }

  /** Reports until `signal` is aborted. Never rejects for want of a connection or of a control plane. */
  async run(signal: AbortSignal): Promise<void> {
    const stopListening = this.#options.engine.outbox.onAppend((event) => this.#appended(event));
    try {
      await Promise.all([this.#report(signal), this.#beat(signal)]);
    } finally {
      stopListening();
      clearTimeout(this.#lingering?.timer);
    }
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
      // A heartbeat that is late says nothing, so none is kept.
      if (!hasCode(error, "UNAVAILABLE")) throw error;
    }
  }

  async #report(signal: AbortSignal): Promise<void> {
    let attempt = 0;
    while (!signal.aborted) {
      try {
        await this.#step(signal);
        if (attempt >= attemptsUntilWarning) this.#options.log.info("Reporting again");
        attempt = 0;
      } catch (error) {
        attempt += 1;
        await this.#failed(PodfleetError.from(error), attempt, signal);
      }
    }
  }

  #appended({ operation }: AgentEvent): void {
    const delayMs = operation === undefined ? unaskedLingerMs : lingerMs;
    const dueMs = systemClock.nowMs() + delayMs;
    if (this.#lingering && this.#lingering.dueMs <= dueMs) return;
    clearTimeout(this.#lingering?.timer);
    this.#lingering = { dueMs, timer: setTimeout(() => this.#work.ring(), delayMs) };
  }

  async #step(signal: AbortSignal): Promise<void> {
    const after = this.#committedSeq;
    if (after === undefined) return await this.#greet(signal);
    clearTimeout(this.#lingering?.timer);
    this.#lingering = undefined;
    const events = this.#options.engine.outbox.after(after, batchEventsMax);
    if (events.length > 0) await this.#send(events, signal);
    const isAll = this.#committedSeq === (events.at(-1)?.seq ?? after);
    if (isAll && events.length < batchEventsMax) await this.#work.wait(signal);
  }

  async #greet(signal: AbortSignal): Promise<void> {
    const { client, engine, host, log } = this.#options;
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
  }

  async #send(events: readonly AgentEvent[], signal: AbortSignal): Promise<void> {
    const { committedSeq } = await this.#options.client.sendEvents(
      { events: batchOf(events) },
      { timeoutMs: requestTimeoutMs, signal },
    );
    if (committedSeq === this.#committedSeq) {
      throw new PodfleetError(
        "INTERNAL",
        `The control plane took none of the events after ${committedSeq} and gave no reason`,
      );
    }
    this.#commit(committedSeq);
  }

  #commit(seq: number): void {
    this.#options.engine.outbox.commit(seq);
    this.#committedSeq = seq;
  }

  async #failed(error: PodfleetError, attempt: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    if (error.code === "HOST_NOT_FOUND") this.#committedSeq = undefined;
    const level = attempt === attemptsUntilWarning || !error.retryable ? "warn" : "debug";
    this.#options.log[level]({ code: error.code, attempt, reason: error.message }, "Not reported");
    const delayMs = backoffMs(attempt - 1, retryDelay);
    await this.#reconnects.wait(AbortSignal.any([signal, AbortSignal.timeout(delayMs)]));
  }

  async #beat(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.sendHeartbeat();
      await systemClock.sleep(heartbeatIntervalMs, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
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
