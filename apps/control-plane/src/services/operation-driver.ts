/**
 * Sends an operation to its host and records the outcome. Sending is idempotent at the agent, so it is sent again
 * whenever a reply may have been lost: a duplicate of a finished operation is answered with its outcome, one of a
 * running operation joins it.
 *
 * A driver holds the operation's lease. A driver that gives up leaves the operation to the settle reconciler.
 */
import { backoffMs } from "@podfleet/base/backoff";
import { systemClock } from "@podfleet/base/clock";
import type { HostClient } from "@podfleet/bus/host-client";
import type { Database } from "@podfleet/db/database";
import type { HostLiveness } from "@podfleet/db/hosts";
import { extendDrive, getOperationRow, releaseDrive } from "@podfleet/db/operations";
import { applyRepliedOutcome } from "@podfleet/db/projection";
import type { Action } from "@podfleet/model/action";
import { hasCode, type PodfleetError } from "@podfleet/model/errors";
import { hostSilenceMaxMs } from "@podfleet/model/host";
import type { OperationId } from "@podfleet/model/ids";
import { isNotDelivered, type OperationOutcome } from "@podfleet/model/operation";

import { replicaEnding } from "./fleet.ts";
import type { HostWatch, WatchedHost } from "./host-watch.ts";
import { failedOutcome, failUndelivered, outcomePending, undelivered } from "./unreachable.ts";

export interface DrivenOperation {
  readonly id: OperationId;
  readonly host: HostLiveness;
  readonly action: Action;
}

/** The bound of one request; the lease (driveLeaseMs) is longer. */
const requestTimeoutMs = 30_000;

export interface OperationDriverOptions {
  readonly database: Database;
  readonly hosts: HostClient;
  readonly watch: HostWatch;
  /** Aborted when the process is about to end: operations under way are left to other replicas. */
  readonly stopping: AbortSignal;
}

export class OperationDriver {
  readonly #database: Database;
  readonly #hosts: HostClient;
  readonly #watch: HostWatch;
  readonly #stopping: AbortSignal;

  constructor(options: OperationDriverOptions) {
    this.#database = options.database;
    this.#hosts = options.hosts;
    this.#watch = options.watch;
    this.#stopping = options.stopping;
  }

  /**
   * Resolves with the recorded outcome, however long that takes while the host is alive.
   * @throws PodfleetError HOST_UNREACHABLE; `details.outcome` is `not-delivered` when the operation has failed with
   *   that, and `pending` when its outcome will be known once the host is back. UNAVAILABLE when this process cannot send,
   *   or is about to end: the same operation may be presented again
   */
  async drive(operation: DrivenOperation): Promise<OperationOutcome> {
    try {
      return await this.#drive(operation);
    } catch (error) {
      await releaseDrive(this.#database, operation.id);
      if (this.#stopping.aborted) {
        throw replicaEnding({ details: { outcome: "pending" }, cause: error });
      }
      throw error;
    }
  }

  async #drive(operation: DrivenOperation): Promise<OperationOutcome> {
    if (operation.host.state === "unreachable") throw await this.#unsent(operation);
    let host: WatchedHost = operation.host;
    let isSent = false;
    let linkDownSinceMs: number | undefined;
    for (let attempt = 0; ; attempt += 1) {
      const answer = await this.#send(operation, host);
      switch (answer.type) {
        case "outcome":
          return answer.outcome;
        case "restarted":
          host = answer.host;
          isSent = true;
          break;
        case "silent":
          throw outcomePending(operation.host);
        case "no-agent":
          throw isSent ? outcomePending(operation.host) : await this.#unsent(operation);
        case "no-answer":
          isSent = true;
          await extendDrive(this.#database, operation.id);
          break;
        case "link-down":
          isSent ||= answer.delivered !== false;
          linkDownSinceMs ??= systemClock.nowMs();
          if (systemClock.nowMs() - linkDownSinceMs > hostSilenceMaxMs) throw answer.error;
          await systemClock.sleep(backoffMs(attempt, { minMs: 50, maxMs: 500 }), this.#stopping);
      }
    }
  }

  async #send(operation: DrivenOperation, host: WatchedHost): Promise<Answer> {
    const { id, action } = operation;
    try {
      const watched = await this.#watch.during(host, this.#stopping, async (signal) => {
        const payload = { operationId: id, action };
        const call = { payload, timeoutMs: requestTimeoutMs, signal };
        return await this.#hosts.request(host.id, "do", call);
      });
      if (watched.type !== "done") return watched;
      const outcome = outcomeOf(watched.value.outcome, operation.host);
      await applyRepliedOutcome(this.#database, host.id, { id, outcome });
      return { type: "outcome", outcome };
    } catch (error) {
      return await this.#afterFailure(operation, error);
    }
  }

  async #afterFailure(operation: DrivenOperation, error: unknown): Promise<Answer> {
    if (hasCode(error, "HOST_UNREACHABLE")) {
      return { type: error.details?.["delivered"] === false ? "no-agent" : "no-answer" };
    }
    if (hasCode(error, "UNAVAILABLE")) {
      return { type: "link-down", delivered: error.details?.["delivered"], error };
    }
    // The agent has refused the operation. Another replica may have settled it meanwhile.
    const { outcome } = await getOperationRow(this.#database, operation.id);
    if (outcome) return { type: "outcome", outcome };
    throw error;
  }

  /** The failure of an operation that this attempt has not sent. */
  async #unsent({ id, host }: DrivenOperation): Promise<PodfleetError> {
    const isFailed = await failUndelivered(this.#database, host, id);
    return isFailed ? undelivered(host) : outcomePending(host);
  }
}

/** The operation was settled as not delivered, before this attempt reached the agent. */
function outcomeOf(outcome: OperationOutcome, host: HostLiveness): OperationOutcome {
  const isGivenUp = outcome.status === "failed" && isNotDelivered(outcome.error);
  return isGivenUp ? failedOutcome(undelivered(host)) : outcome;
}

type Answer =
  | { readonly type: "outcome"; readonly outcome: OperationOutcome }
  | { readonly type: "restarted"; readonly host: WatchedHost }
  | { readonly type: "silent" }
  /** The agent is not subscribed: the message was certainly not delivered. */
  | { readonly type: "no-agent" }
  /** The request has timed out and the host is alive. */
  | { readonly type: "no-answer" }
  | { readonly type: "link-down"; readonly delivered: unknown; readonly error: PodfleetError };
