/**
 * Operations take effect exactly once. Each is recorded before it acts; its outcome is committed with its last change. A
 * repetition gets the stored outcome or joins the one under way. After a restart, those without an outcome are carried
 * on.
 */
import type { Clock } from "@podfleet/base/clock";
import { invariant } from "@podfleet/base/invariant";
import type { Action } from "@podfleet/model/action";
import { PodfleetError, type WireError } from "@podfleet/model/errors";
import type { ContainerId, OperationId } from "@podfleet/model/ids";
import { notDelivered, type OperationOutcome } from "@podfleet/model/operation";
import { traced } from "@podfleet/oci/process/trace";

import type { OperationRecord } from "../state/operation-records.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import { hashAction } from "./action-hash.ts";
import type { Dispatch } from "./dispatch.ts";

/** How long an operation's outcome is kept. An id older than that may have been forgotten, so it is refused. */
export const outcomeKeptMs = 7 * 24 * 60 * 60 * 1_000;
/** How long the end of what is under way is waited for when the engine closes. */
const drainMsMax = 5_000;

export interface OperationRequest {
  readonly operationId: OperationId;
  readonly action: Action;
}

export type Settlement =
  | { readonly state: "finished"; readonly outcome: OperationOutcome }
  | { readonly state: "running" }
  | { readonly state: "unknown" };

export interface OperationRunnerOptions {
  readonly clock: Clock;
  readonly store: StateStore;
  readonly dispatch: Dispatch;
  /** Reports defects, which end their operation with INTERNAL. */
  readonly onDefect: (error: unknown, operationId: OperationId) => void;
}

export class OperationRunner {
  readonly #clock: Clock;
  readonly #store: StateStore;
  readonly #dispatch: Dispatch;
  readonly #onDefect: OperationRunnerOptions["onDefect"];
  readonly #running = new Map<OperationId, Promise<OperationOutcome>>();
  /** `abandoned`: the store is about to be closed under what is still under way. */
  #phase: "open" | "closing" | "abandoned" = "open";

  constructor(options: OperationRunnerOptions) {
    this.#clock = options.clock;
    this.#store = options.store;
    this.#dispatch = options.dispatch;
    this.#onDefect = options.onDefect;
  }

  /**
   * @throws PodfleetError CONFLICT when the id was used for another action; UNAVAILABLE when the engine is closing; INTERNAL
   * when the outcome could not be committed
   */
  async perform({ operationId: id, action }: OperationRequest): Promise<OperationOutcome> {
    const actionHash = hashAction(action);
    const known = this.#store.operations.find(id);
    if (known) return await this.#repeat(id, known, actionHash);
    if (this.#phase !== "open") throw closing(id);
    const startedAtMs = this.#clock.nowMs();
    if (isForgettable(id, startedAtMs)) return failed(tooOld(id));
    this.#store.operations.begin({ id, action, actionHash, startedAtMs });
    return await this.#launch(id, { action, resumed: false });
  }

  /** What became of an operation. `unknown` is recorded first, so that it has no effect if it arrives later. */
  settle(id: OperationId): Settlement {
    const known = this.#store.operations.find(id);
    if (known?.status === "finished") return { state: "finished", outcome: known.outcome };
    if (known?.status === "running") return { state: "running" };
    if (!known) this.#store.operations.refuse(id, this.#clock.nowMs());
    return { state: "unknown" };
  }

  /**
   * Carries on the operations that an earlier engine left without an outcome. Returns the containers that they are about; `onEnd` is told
   * each time that one of them has ended.
   */
  resume(onEnd: (id: ContainerId) => void): Set<ContainerId> {
    const containers = new Set<ContainerId>();
    for (const { id, action } of this.#store.operations.unfinished()) {
      const containerId = "containerId" in action ? action.containerId : undefined;
      if (containerId) containers.add(containerId);
      this.#launch(id, { action, resumed: true })
        .catch((error: unknown) => this.#onDefect(error, id))
        .finally(() => containerId && onEnd(containerId));
    }
    return containers;
  }

  /** Takes no more, and waits a while for those under way; the rest is carried on after the next open. */
  async close(): Promise<void> {
    this.#phase = "closing";
    const timer = new AbortController();
    const expiry = this.#clock.sleep(drainMsMax, timer.signal);
    // Safe to ignore: the sleep rejects only because it is ended below.
    expiry.catch(() => undefined);
    await Promise.race([Promise.allSettled(this.#running.values()), expiry]);
    timer.abort();
    this.#phase = "abandoned";
  }

  async #repeat(
    id: OperationId,
    known: OperationRecord,
    actionHash: string,
  ): Promise<OperationOutcome> {
    if (known.status === "refused") return failed(givenUp(id));
    if (known.actionHash !== actionHash) throw conflict(id);
    if (known.status === "finished") return known.outcome;
    const running = this.#running.get(id);
    invariant(running, `operation ${id} has no outcome, so it is under way`);
    return await running;
  }

  #launch(
    id: OperationId,
    task: { readonly action: Action; readonly resumed: boolean },
  ): Promise<OperationOutcome> {
    const running = this.#run(id, task).finally(() => this.#running.delete(id));
    this.#running.set(id, running);
    return running;
  }

  async #run(
    id: OperationId,
    task: { readonly action: Action; readonly resumed: boolean },
  ): Promise<OperationOutcome> {
    const { verb } = task.action;
    const containerId = "containerId" in task.action ? task.action.containerId : undefined;
    const attributes = {
      "podfleet.operation.id": id,
      ...(containerId ? { "podfleet.container.id": containerId } : {}),
    };
    const operation = { id, verb };
    try {
      await traced(verb, attributes, () => this.#dispatch.carryOut(operation, task));
    } catch (error) {
      if (this.#phase === "abandoned") throw closing(id, error);
      const failure = PodfleetError.from(error);
      if (failure.code === "INTERNAL") this.#onDefect(error, id);
      this.#commitFailure(operation, containerId, failure.toWire());
    }
    const ended = this.#store.operations.find(id);
    invariant(ended?.status === "finished", `operation ${id} has committed its outcome`);
    return ended.outcome;
  }

  #commitFailure(
    operation: OperationRef,
    containerId: ContainerId | undefined,
    error: WireError,
  ): void {
    const note = { event: "operation.finished", operation, ends: error } as const;
    if (containerId && this.#store.find(containerId) && isFailedStart(operation, error)) {
      this.#store.update(containerId, { error: error.message }, note);
    } else {
      this.#store.note(containerId, note);
    }
  }
}

const startingVerbs: ReadonlySet<OperationRef["verb"]> = new Set([
  "container.init",
  "container.start",
  "container.restart",
  "container.refresh",
]);

/** Whether the start itself failed, rather than being refused for the state that the container is in. */
function isFailedStart({ verb }: OperationRef, { code }: WireError): boolean {
  return startingVerbs.has(verb) && code !== "STATE_INVALID" && code !== "LOCK_TIMEOUT";
}

function isForgettable(id: OperationId, nowMs: number): boolean {
  return nowMs - madeAtMs(id) > outcomeKeptMs;
}

/** A UUIDv7 begins with 48 bits of milliseconds since the Unix epoch (RFC 9562 §5.7). */
function madeAtMs(id: OperationId): number {
  return Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
}

function failed(error: PodfleetError): OperationOutcome {
  return { status: "failed", error: error.toWire() };
}

function tooOld(id: OperationId): PodfleetError {
  const madeAt = new Date(madeAtMs(id)).toISOString();
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot perform operation "${id}": its id was made at ${madeAt}, must be at most 7 days old`,
    { details: { field: "operationId", operationId: id } },
  );
}

function givenUp(id: OperationId): PodfleetError {
  return new PodfleetError(
    "CANCELLED",
    `Cannot perform operation "${id}": it was given up before it reached the host`,
    { details: { operationId: id, ...notDelivered } },
  );
}

function closing(id: OperationId, cause?: unknown): PodfleetError {
  return new PodfleetError(
    "UNAVAILABLE",
    `Cannot perform operation "${id}" now: the engine is closing, ask again when it is back`,
    { details: { operationId: id }, cause },
  );
}

function conflict(id: OperationId): PodfleetError {
  return new PodfleetError(
    "CONFLICT",
    `Cannot perform operation "${id}": the id was used for another request, must be a new one`,
    { details: { operationId: id } },
  );
}
