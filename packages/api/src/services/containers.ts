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
  /** The output of this exec session instead of the container's own. */
  readonly exec?: ExecId | undefined;
  /** What its command writes to this descriptor beside the standard ones: bytes without records. */
  readonly descriptor?: number | undefined;
  /** Goes on until the journal has ended. */
  readonly follow: boolean;
  /** Begins with the last so many lines. */
  readonly tail?: number | undefined;
  readonly since?: string | undefined;
  /** Where to go on; it overrides `tail` and `since`. */
  readonly offset?: number | undefined;
}

/** `container` is a name, an id or the prefix of one. */
export interface ContainerService {
  /** Newest first. */
  list(request: ContainerListRequest): Promise<ContainerSummary[]>;
  /** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID */
  inspect(container: string): Promise<ContainerInspect>;
  /**
   * Resolves when the condition is met, however long that takes.
   * @throws PodfleetError CONTAINER_NOT_FOUND, also for one that was removed and can never meet it; AMBIGUOUS_ID
   */
  wait(request: WaitRequest, signal: AbortSignal): Promise<WaitResult>;
  /**
   * Up to the journal's present end; with `follow`, until it has ended for good, across outages of the host.
   * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND, also when it is removed meanwhile; AMBIGUOUS_ID; HOST_UNREACHABLE
   */
  logs(request: LogsRequest, signal: AbortSignal): AsyncGenerator<LogChunk, void>;
  /**
   * A sample of all containers every `intervalMs`. One that has ended, or whose host does not answer, is not in it; of those that
   * were named, the first sample has all.
   * @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, STATE_INVALID, HOST_UNREACHABLE
   */
  stats(request: StatsRequest, signal: AbortSignal): AsyncGenerator<ContainerStats[], void>;
  /** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE, STATE_INVALID */
  resize(request: ResizeRequest): Promise<void>;
  /** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE, STATE_INVALID */
  stat(request: StatRequest): Promise<FileStat | null>;
  /** By path. @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE */
  diff(container: string, signal: AbortSignal): Promise<FileChange[]>;
  /** By pid. @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE, STATE_INVALID */
  top(container: string): Promise<ContainerProcess[]>;
}
