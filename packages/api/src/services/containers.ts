import type { ContainerInspect, ContainerSummary } from "@podfleet/model/container/record";
import type { ContainerProcess, ContainerStats } from "@podfleet/model/container/usage";
import type { WaitResult } from "@podfleet/model/container/wait";
import type { FileChange, FileStat } from "@podfleet/model/file";
import type { ExecId } from "@podfleet/model/ids";
import type { LogChunk } from "@podfleet/model/log";

import type {
  ContainerListRequest,
  ResizeRequest,
  StatRequest,
  StatsRequest,
  WaitRequest,
} from "../requests/containers.ts";

export interface LogsRequest {
  readonly container: string;
  /** The exec session whose output is read instead of the container's. */
  readonly exec?: ExecId | undefined;
  /** The descriptor to read instead of the output: bytes without records. */
  readonly descriptor?: number | undefined;
  /** Follows the journal until it has ended. */
  readonly follow: boolean;
  /** Begins with the last `tail` lines. */
  readonly tail?: number | undefined;
  readonly since?: string | undefined;
  /** The offset to resume at; it overrides `tail` and `since`. */
  readonly offset?: number | undefined;
}

/** `container` is a name, an id or the prefix of one. */
export interface ContainerService {
  /** Lists containers, newest first. */
  list(request: ContainerListRequest): Promise<ContainerSummary[]>;
  /** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID */
  inspect(container: string): Promise<ContainerInspect>;
  /**
   * Resolves when the condition is met, however long that takes.
   * @throws PodfleetError CONTAINER_NOT_FOUND, also for one that was removed and can never meet it; AMBIGUOUS_ID
   */
  wait(request: WaitRequest, signal: AbortSignal): Promise<WaitResult>;
  /**
   * Yields the journal up to its present end; with `follow`, until it has ended for good, across outages of the host.
   * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND, also when it is removed meanwhile; AMBIGUOUS_ID; HOST_UNREACHABLE
   */
  logs(request: LogsRequest, signal: AbortSignal): AsyncGenerator<LogChunk, void>;
  /**
   * Yields a sample of all containers every `intervalMs`. A container that has ended, or whose host does not answer, is left out; the first
   * sample has every container that was named, or fails.
   * @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, STATE_INVALID, HOST_UNREACHABLE
   */
  stats(request: StatsRequest, signal: AbortSignal): AsyncGenerator<ContainerStats[], void>;
  /** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE, STATE_INVALID */
  resize(request: ResizeRequest): Promise<void>;
  /** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE, STATE_INVALID */
  stat(request: StatRequest): Promise<FileStat | null>;
  /** Lists changed files by path. @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE */
  diff(container: string, signal: AbortSignal): Promise<FileChange[]>;
  /** Lists processes by pid. @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE, STATE_INVALID */
  top(container: string): Promise<ContainerProcess[]>;
}
