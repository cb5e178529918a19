import type { Caller } from "@podfleet/model/caller";
import type { HealthResult } from "@podfleet/model/container/healthcheck";
import type { ContainerSummary } from "@podfleet/model/container/record";
import type { ExecSession } from "@podfleet/model/exec";
import type { OperationId } from "@podfleet/model/ids";
import type { Mutation } from "@podfleet/model/mutation";
import type { OperationRecord, StepResult } from "@podfleet/model/operation";

import type { OperationListRequest } from "../requests/operations.ts";

/** Who asks for an operation, and under which id. */
export interface OperationRequest {
  readonly caller: Caller;
  /** Names the operation, so that a retry with the same id takes effect once; made up when absent. */
  readonly operationId: OperationId | undefined;
}

export interface MutationRequest extends OperationRequest {
  readonly mutation: Mutation;
}

export interface MutationResult {
  readonly operationId: OperationId;
  /** As the operation left it. */
  readonly container: ContainerSummary;
  /** The session of an operation on one. */
  readonly exec?: ExecSession;
  /** Of a healthcheck that was run. */
  readonly health?: HealthResult;
  /** Of a batch, one for each step. */
  readonly steps?: StepResult[];
}

export interface OperationService {
  /** @throws PodfleetError the operation's failure; `details.operationId` names it */
  perform(request: MutationRequest): Promise<MutationResult>;
  /** Newest first. */
  list(request: OperationListRequest): Promise<OperationRecord[]>;
  /** @throws PodfleetError OPERATION_NOT_FOUND */
  get(operationId: OperationId): Promise<OperationRecord>;
}
