import type { Caller } from "@podfleet/model/caller";
import type { HealthResult } from "@podfleet/model/container/healthcheck";
import type { ContainerSummary } from "@podfleet/model/container/record";
import type { ExecSession } from "@podfleet/model/exec";
import type { OperationId } from "@podfleet/model/ids";
import type { Mutation } from "@podfleet/model/mutation";
import type { OperationRecord, StepResult } from "@podfleet/model/operation";

import type { OperationListRequest } from "../requests/operations.ts";

/** The caller of an operation, and its id. */
export interface OperationRequest {
  readonly caller: Caller;
  /** Names the operation, so that a retry with the same id takes effect once; generated when absent. */
  readonly operationId: OperationId | undefined;
}

export interface MutationRequest extends OperationRequest {
  readonly mutation: Mutation;
}

export interface MutationResult {
  readonly operationId: OperationId;
  /** The container after the operation. */
  readonly container: ContainerSummary;
  /** The exec session, for operations on one. */
  readonly exec?: ExecSession;
  /** The result of a healthcheck that was run. */
  readonly health?: HealthResult;
  /** The results of a batch, one for each step. */
  readonly steps?: StepResult[];
}

export interface OperationService {
  /** @throws PodfleetError the operation's failure; `details.operationId` names it */
  perform(request: MutationRequest): Promise<MutationResult>;
  /** Lists operations, newest first. */
  list(request: OperationListRequest): Promise<OperationRecord[]>;
  /** @throws PodfleetError OPERATION_NOT_FOUND */
  get(operationId: OperationId): Promise<OperationRecord>;
}
