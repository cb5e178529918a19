/**
 * Mutations of containers, exactly once each. The id that the caller chose names the mutation: presented again with the
 * same request it returns the recorded outcome, or joins the operation under way; with another request it is CONFLICT.
 */
import { trace } from "@opentelemetry/api";
import type { MutationRequest, MutationResult } from "@podfleet/api/services/operations";
import { invariant } from "@podfleet/base/invariant";
import { type AdmittedOperation, recordOnContainer } from "@podfleet/db/admission";
import {
  type ContainerRow,
  findContainerById,
  getContainer,
  summaryOf,
  theOneMeant,
} from "@podfleet/db/containers";
import type { Database } from "@podfleet/db/database";
import { findOperation, joinOperation, type OperationRow } from "@podfleet/db/operations";
import { PodfleetError } from "@podfleet/model/errors";
import { newOperationId, type OperationId } from "@podfleet/model/ids";
import type { ContainerChange, ContainerMutation, Mutation } from "@podfleet/model/mutation";
import type { OperationOutcome } from "@podfleet/model/operation";

import { activeTraceId } from "../trace-context.ts";
import { admitChange, isChange } from "./container-change.ts";
import { admitContainer } from "./container-creation.ts";
import { actionOf } from "./mutation.ts";
import type { OperationDriver } from "./operation-driver.ts";

export class Operations {
  readonly #database: Database;
  readonly #driver: OperationDriver;

  constructor(database: Database, driver: OperationDriver) {
    this.#database = database;
    this.#driver = driver;
  }

  /** @throws PodfleetError the operation's failure, or an error of OperationDriver.drive; `details.operationId` names it */
  async perform({ caller, operationId, mutation }: MutationRequest): Promise<MutationResult> {
    const id = operationId ?? newOperationId();
    const span = trace.getActiveSpan();
    span?.setAttribute("podfleet.operation.id", id);
    const operation = {
      id,
      verb: mutation.verb,
      request: mutation,
      caller: caller.name,
      traceId: activeTraceId(),
    };
    try {
      if (mutation.verb === "container.create") return await this.#create(operation, mutation);
      return isChange(mutation)
        ? await this.#change(operation, mutation)
        : await this.#act(operation, mutation);
    } catch (error) {
      throw withOperationId(error, id);
    }
  }

  async #create(operation: AdmittedOperation, mutation: Mutation & { verb: "container.create" }) {
    const admission = await admitContainer(this.#database, operation, {
      spec: mutation.spec,
      status: "dispatched",
    });
    switch (admission.type) {
      case "refused":
        throw admission.error;
      case "id-taken":
        return await this.#resumeTaken(operation, mutation);
      case "admitted":
        return await this.#drive(operation.id, mutation, admission.container);
    }
  }

  async #change(operation: AdmittedOperation, mutation: ContainerChange): Promise<MutationResult> {
    const known = await findOperation(this.#database, operation.id, mutation);
    if (known) return await this.#resume(known, mutation);
    const container = await getContainer(this.#database, mutation.container);
    const request = { operation, container, change: mutation };
    const admission = await admitChange(this.#database, request);
    if (admission.type === "refused") throw admission.error;
    if (admission.type === "id-taken") return await this.#resumeTaken(operation, mutation);
    return await this.#drive(operation.id, mutation, container);
  }

  async #act(operation: AdmittedOperation, mutation: ContainerMutation): Promise<MutationResult> {
    const reference = mutation.container;
    const { found, isRecorded } = await recordOnContainer(this.#database, operation, reference);
    // The container that the reference named when the operation was first asked for may be gone by now.
    const known = isRecorded
      ? undefined
      : await findOperation(this.#database, operation.id, mutation);
    if (known) return await this.#resume(known, mutation);
    const container = theOneMeant(reference, found);
    invariant(isRecorded, `operation "${operation.id}" is recorded when its id is not taken`);
    return await this.#drive(operation.id, mutation, container);
  }

  async #resumeTaken({ id }: AdmittedOperation, mutation: Mutation): Promise<MutationResult> {
    const row = await findOperation(this.#database, id, mutation);
    if (!row) throw new Error(`Operation "${id}" was there and is not`);
    return await this.#resume(row, mutation);
  }

  async #resume(known: OperationRow, mutation: Mutation): Promise<MutationResult> {
    const row = known.outcome ? known : await joinOperation(this.#database, known.id);
    if (row.outcome) assertAnswered(row.outcome);
    const container =
      row.containerId === null
        ? undefined
        : await findContainerById(this.#database, row.containerId);
    if (!container) throw new Error(`The container of operation "${row.id}" is not on record`);
    if (row.outcome) return resultOf(row.id, container, row.outcome);
    return await this.#drive(row.id, mutation, container);
  }

  async #drive(
    id: OperationId,
    mutation: Mutation,
    container: ContainerRow,
  ): Promise<MutationResult> {
    const { host } = container;
    trace.getActiveSpan()?.setAttributes({
      "podfleet.container.id": container.id,
      "podfleet.host.name": host.name,
    });
    const outcome = await this.#driver.drive({ id, host, action: actionOf(mutation, container) });
    assertAnswered(outcome);
    // Its host was heard just now.
    const heard = { ...host, state: "ready", lastSeenAt: new Date() } as const;
    return resultOf(id, { ...container, host: heard }, outcome);
  }
}

/** A batch that has begun returns the results of its steps, also when some failed. */
function assertAnswered(outcome: OperationOutcome): void {
  if (outcome.status === "failed" && !outcome.steps) throw PodfleetError.fromWire(outcome.error);
}

function resultOf(
  operationId: OperationId,
  row: ContainerRow,
  outcome: OperationOutcome,
): MutationResult {
  const exec = outcome.status === "succeeded" && outcome.exec ? { exec: outcome.exec } : {};
  const steps = outcome.steps ? { steps: outcome.steps } : {};
  const container = summaryOf(row, outcome.container ?? row.snapshot);
  const health = outcome.status === "succeeded" && outcome.health ? { health: outcome.health } : {};
  return { operationId, container, ...exec, ...health, ...steps };
}

export function withOperationId(error: unknown, operationId: OperationId): unknown {
  if (!(error instanceof PodfleetError)) return error;
  const details = { ...error.details, operationId };
  return new PodfleetError(error.code, error.message, { details, cause: error });
}
