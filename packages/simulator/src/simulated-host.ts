/**
 * A host whose containers are records only: each action changes the state at once and nothing runs. It keeps an agent's promises to
 * the control plane: an operation takes effect once, each commit is an event, events have no gaps. A container's process ends when the
 * test says so or by SIGKILL, and the test says when an operation gets its turn.
 */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import { pause } from "@podfleet/base/pause";
import type { Action } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerUsage } from "@podfleet/model/container/usage";
import { findWaitMet, runWaitedFor, type WaitMet } from "@podfleet/model/container/wait";
import { PodfleetError } from "@podfleet/model/errors";
import type { AgentEvent } from "@podfleet/model/event";
import { successOf } from "@podfleet/model/event-type";
import type { ExecSession } from "@podfleet/model/exec";
import type { FileStat } from "@podfleet/model/file";
import type { ContainerId, ExecId, OperationId } from "@podfleet/model/ids";
import { notDelivered, type OperationOutcome } from "@podfleet/model/operation";
import { type TransferId, transferIdSchema } from "@podfleet/model/transfer";
import type { SettleReply } from "@podfleet/protocol/host/settle";
import type { WaitReply, WaitRequest } from "@podfleet/protocol/host/wait";

import { carryOut } from "./simulated-actions.ts";
import { SimulatedRecords } from "./simulated-records.ts";

const sigkill = 9;

export class SimulatedHost {
  /** Operations that took effect, in order. */
  readonly performed: OperationId[] = [];
  readonly outcomes = new Map<OperationId, OperationOutcome>();
  /** Given up by `settle`. */
  readonly refused = new Set<OperationId>();
  readonly uploads = new Map<OperationId, Uint8Array>();
  /** What each transfer that is open sends; `transferred` when it is opened. */
  readonly transfers = new Map<TransferId, Uint8Array>();
  transferred: Uint8Array = new Uint8Array(0);
  /** What `stat` answers for a path. */
  readonly files = new Map<string, FileStat>();
  /** How often `wait` was asked. */
  waits = 0;
  readonly #records = new SimulatedRecords();
  readonly #actions = new Map<OperationId, Action>();
  readonly #running = new Map<OperationId, Promise<OperationOutcome>>();
  readonly #forgotten = new Set<OperationId>();
  #usages = 0;
  #hold: Promise<void> = Promise.resolve();
  #failure: PodfleetError | undefined;

  /** Until the returned function is called, operations are taken and not carried out. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#hold = promise;
    return resolve;
  }

  /** The next operation fails with `error`. */
  failNext(error: PodfleetError): void {
    this.#failure = error;
  }

  /** Operations are under way. */
  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** Loses an operation that is held, as if its request had never arrived. */
  forget(id: OperationId): void {
    this.#forgotten.add(id);
    this.#running.delete(id);
  }

  get containers(): ReadonlyMap<ContainerId, ContainerSnapshot> {
    return this.#records.containers;
  }

  /** The exec sessions that were started. */
  get execs(): ReadonlyMap<ExecId, ExecSession> {
    return this.#records.execs;
  }

  /** Ends a container's run. */
  exit(id: ContainerId, exitCode: number): void {
    this.#records.exit(id, exitCode);
  }

  get lastSeq(): number {
    return this.#records.lastSeq;
  }

  /** Events that the control plane has not committed yet. */
  get outbox(): readonly AgentEvent[] {
    return this.#records.outbox;
  }

  committed(seq: number): void {
    this.#records.committed(seq);
  }

  /** @throws PodfleetError CONFLICT when the id was used for another action */
  async perform(id: OperationId, action: Action): Promise<OperationOutcome> {
    const known = this.outcomes.get(id) ?? this.#running.get(id);
    if (known) {
      if (isDeepStrictEqual(this.#actions.get(id), action)) return await known;
      throw new PodfleetError("CONFLICT", `Operation id "${id}" was used for another request`);
    }
    if (this.refused.has(id)) {
      const message = "Given up before it reached the host";
      return failed(new PodfleetError("CANCELLED", message, { details: notDelivered }));
    }
    this.#actions.set(id, action);
    const running = this.#carryOut(id, action);
    this.#running.set(id, running);
    const outcome = await running;
    this.#running.delete(id);
    return outcome;
  }

  settle(id: OperationId): SettleReply {
    const outcome = this.outcomes.get(id);
    if (outcome) return { state: "finished", outcome };
    if (this.#running.has(id)) return { state: "running" };
    this.refused.add(id);
    return { state: "unknown" };
  }

  /** Woken by nothing but its own poll: what is tested is the asking side. */
  async wait(request: WaitRequest, signal: AbortSignal): Promise<WaitReply> {
    this.waits += 1;
    const { containerId: id, condition, timeoutMs } = request;
    const run = request.run ?? runWaitedFor(condition, this.#records.last(id));
    const deadlineMs = Date.now() + timeoutMs;
    for (;;) {
      const container = this.#records.last(id);
      const isRemoved = !this.containers.has(id);
      const met = findWaitMet({ condition, run }, container, isRemoved);
      if (met) return this.#answer(container, met);
      // Throws: what is removed changes no more.
      if (isRemoved) this.#records.get(id);
      if (Date.now() >= deadlineMs || signal.aborted) return { state: "pending", run };
      await pause(20, signal);
    }
  }

  #answer(container: ContainerSnapshot, { by, run }: WaitMet): WaitReply {
    if (by === "state") return { state: "met", run, exitUnknown: false, container };
    const exitCode = this.#records.exitCode(container.id, run);
    return exitCode === undefined
      ? { state: "met", run, exitUnknown: run > 0, container }
      : { state: "met", run, exitCode, exitUnknown: false, container };
  }

  session(id: ExecId): ExecSession {
    return this.#records.session(id);
  }

  /** A second of CPU time more at each call. */
  usage(): ContainerUsage {
    this.#usages += 1;
    return {
      at: new Date().toISOString(),
      ...{ cpuNanos: this.#usages * 1e9, pids: 1, blockReadBytes: 0, blockWriteBytes: 0 },
      ...{ memoryBytes: 1024 ** 2, memoryLimitBytes: 1024 ** 3 },
    };
  }

  openTransfer(): TransferId {
    const id = transferIdSchema.parse(randomUUID());
    this.transfers.set(id, this.transferred);
    return id;
  }

  /** @returns the length that the upload has then */
  appendUpload(id: OperationId, offset: number, bytes: Uint8Array): number {
    const held = this.uploads.get(id) ?? new Uint8Array(0);
    if (offset !== held.length) return held.length;
    this.uploads.set(id, Buffer.concat([held, bytes]));
    return held.length + bytes.length;
  }

  async #carryOut(id: OperationId, action: Action): Promise<OperationOutcome> {
    await this.#hold;
    if (this.#forgotten.delete(id)) return failed(new PodfleetError("INTERNAL", "Forgotten"));
    const outcome = this.#attempt(id, action);
    this.performed.push(id);
    this.outcomes.set(id, outcome);
    const { container } = outcome;
    this.#records.append({
      type: outcome.status === "succeeded" ? successOf(action.verb) : "operation.finished",
      ...("containerId" in action ? { containerId: action.containerId } : {}),
      ...(container ? { container } : {}),
      operation: { id, verb: action.verb, outcome },
    });
    if (outcome.status === "succeeded") this.#followSignal(action);
    return outcome;
  }

  #attempt(id: OperationId, action: Action): OperationOutcome {
    const failure = this.#failure;
    this.#failure = undefined;
    try {
      if (failure) throw failure;
      return carryOut(this.#records, action, id);
    } catch (error) {
      const container = "containerId" in action && this.containers.get(action.containerId);
      return { ...failed(PodfleetError.from(error)), ...(container ? { container } : {}) };
    }
  }

  /** The end that SIGKILL brings comes after the operation's. */
  #followSignal(action: Action): void {
    if (action.verb === "container.kill" && action.signal === sigkill) {
      this.exit(action.containerId, 128 + sigkill);
    }
    if (action.verb === "exec.kill" && action.signal === sigkill) {
      this.#records.exitExec(action.execId, 128 + sigkill);
    }
  }
}

function failed(error: PodfleetError): OperationOutcome {
  return { status: "failed", error: error.toWire() };
}
