/**
 * One lock per container, first come first served.
 *
 * - Whoever takes a lock declares the longest time it means to hold it. A waiter waits for the declared times of all who
 *   are before it and `graceMs` more; then it fails with LOCK_TIMEOUT, because something ahead is stuck.
 * - Nobody holds two locks: an attempt to take one while holding one is a defect and throws. So waiters cannot form a circle.
 * - Reads take no lock.
 */
import { AsyncLocalStorage } from "node:async_hooks";

import type { Clock } from "@podfleet/base/clock";
import { invariant } from "@podfleet/base/invariant";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { traced } from "@podfleet/oci/process/trace";

export interface LockRequest {
  /** What the lock is for; named in the error that a waiter gets: `container.stop`. */
  readonly purpose: string;
  /** The longest time from getting the lock to giving it back. */
  readonly holdMsMax: number;
}

/** Time a waiter grants beyond what those before it declared. */
const graceMs = 60_000;
/** Callers in one container's queue, the holder among them. */
const queueLengthMax = 256;

interface Ticket extends LockRequest {
  readonly granted: PromiseWithResolvers<void>;
}

interface Holding {
  readonly containerId: ContainerId;
  released: boolean;
}

export class ContainerLocks {
  readonly #clock: Clock;
  /** The first ticket of a queue is the holder's. A container nobody works on has no queue. */
  readonly #queues = new Map<ContainerId, Ticket[]>();
  readonly #holding = new AsyncLocalStorage<Holding>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs `body` while holding the container's lock.
   * @throws PodfleetError LOCK_TIMEOUT when the lock did not come free in time, or too many wait for it
   */
  async run<T>(containerId: ContainerId, request: LockRequest, body: () => Promise<T>): Promise<T> {
    const outer = this.#holding.getStore();
    invariant(
      outer === undefined || outer.released,
      `the lock of container ${containerId} was asked for while holding that of ${outer?.containerId}`,
    );
    const ticket: Ticket = { ...request, granted: Promise.withResolvers() };
    await this.#acquire(containerId, ticket);
    const holding: Holding = { containerId, released: false };
    try {
      return await this.#holding.run(holding, body);
    } finally {
      holding.released = true;
      this.#leave(containerId, ticket);
    }
  }

  /** Callers that hold or wait for the container's lock. */
  queueLength(containerId: ContainerId): number {
    return this.#queues.get(containerId)?.length ?? 0;
  }

  async #acquire(containerId: ContainerId, ticket: Ticket): Promise<void> {
    const queue = this.#queues.get(containerId) ?? [];
    const holder = queue[0];
    if (queue.length >= queueLengthMax) throw lockTimeout(containerId, holder, 0);
    const waitMsMax = queue.reduce((sum, ahead) => sum + ahead.holdMsMax, graceMs);
    const attributes = {
      "podfleet.container.id": containerId,
      "podfleet.lock.queue_length": queue.length,
    };
    queue.push(ticket);
    this.#queues.set(containerId, queue);
    await traced("container.lock.wait", attributes, async () => {
      if (holder === undefined) return;
      await this.#waitForTurn(containerId, ticket, waitMsMax);
    });
  }

  async #waitForTurn(containerId: ContainerId, ticket: Ticket, waitMsMax: number): Promise<void> {
    const timer = new AbortController();
    const expiry = this.#clock.sleep(waitMsMax, timer.signal).then(() => "expired" as const);
    const outcome = await Promise.race([ticket.granted.promise, expiry]);
    if (outcome !== "expired") {
      // Safe to ignore: the sleep rejects because it is ended here.
      expiry.catch(() => undefined);
      timer.abort();
      return;
    }
    const holder = this.#queues.get(containerId)?.[0];
    this.#leave(containerId, ticket);
    throw lockTimeout(containerId, holder, waitMsMax);
  }

  #leave(containerId: ContainerId, ticket: Ticket): void {
    const queue = this.#queues.get(containerId) ?? [];
    const position = queue.indexOf(ticket);
    invariant(position >= 0, `a ticket for container ${containerId} is in its queue`);
    queue.splice(position, 1);
    if (queue.length === 0) this.#queues.delete(containerId);
    else if (position === 0) queue[0]?.granted.resolve();
  }
}

function lockTimeout(
  containerId: ContainerId,
  holder: LockRequest | undefined,
  waitedMs: number,
): PodfleetError {
  const purpose = holder?.purpose ?? "another operation";
  return new PodfleetError(
    "LOCK_TIMEOUT",
    `Cannot lock container "${containerId}": ${purpose} holds it, waited ${waitedMs} ms`,
    { details: { containerId, holder: purpose, waitedMs } },
  );
}
