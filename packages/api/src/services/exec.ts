import type { ExecSession, ExecSpec, TerminalSize } from "@podfleet/model/exec";
import type { ExecId } from "@podfleet/model/ids";

import type {
  ExecInspectRequest,
  ExecListRequest,
  ExecResizeRequest,
  ExecWaitRequest,
} from "../requests/exec.ts";
import type { MutationResult, OperationRequest } from "./operations.ts";

export interface NewExec extends OperationRequest {
  /** Name, id or id prefix of a running container. */
  readonly container: string;
  readonly spec: ExecSpec;
}

export interface CreatedExecStart extends OperationRequest {
  readonly exec: ExecId;
  /** The terminal's size; it overrides the one that the session was created with. */
  readonly terminalSize?: TerminalSize | undefined;
}

export interface StartedExec extends MutationResult {
  readonly exec: ExecSession;
}

export interface ExecService {
  /**
   * Resolves when the command runs.
   * @throws PodfleetError CANNOT_INVOKE unless the container runs, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE
   */
  start(request: NewExec): Promise<StartedExec>;
  /**
   * Creates a session that `startCreated` starts; until then its host does not know it. It expires after a day.
   * @throws PodfleetError CANNOT_INVOKE unless the container runs; CONTAINER_NOT_FOUND, AMBIGUOUS_ID; CONFLICT when the operation id
   *   was used for another session
   */
  create(request: NewExec): Promise<ExecSession>;
  /** Starts a session that `create` has created. @throws PodfleetError EXEC_IN_USE when it was started before; the errors of `start` */
  startCreated(request: CreatedExecStart): Promise<StartedExec>;
  /** Lists sessions, oldest first. @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE */
  list(request: ExecListRequest): Promise<ExecSession[]>;
  /** @throws PodfleetError EXEC_NOT_FOUND, CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE */
  inspect(request: ExecInspectRequest): Promise<ExecSession>;
  /**
   * Resolves with the session when it has ended, however long that takes, across outages of its host.
   * @throws PodfleetError EXEC_NOT_FOUND, also when it is removed meanwhile; CONTAINER_NOT_FOUND; AMBIGUOUS_ID
   */
  wait(request: ExecWaitRequest, signal: AbortSignal): Promise<ExecSession>;
  /** @throws PodfleetError STATE_INVALID, EXEC_NOT_FOUND, CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE */
  resize(request: ExecResizeRequest): Promise<void>;
}
