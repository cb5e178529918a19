/** What an engine is opened with. */
import type { Clock } from "@podfleet/base/clock";
import type { ContainerId, OperationId } from "@podfleet/model/ids";
import type { RuntimeName } from "@podfleet/oci/runtime/runtime";

/** What failed in the background, where no caller is told. */
export interface EngineProblem {
  readonly error: unknown;
  readonly containerId?: ContainerId;
  readonly operationId?: OperationId;
  /** Name of the background work that failed. */
  readonly loop?: string;
}

export interface EngineOptions {
  /** What survives a reboot. */
  readonly dataRoot: string;
  /** What does not: on a tmpfs. */
  readonly runRoot: string;
  /** Cgroup below which the containers have theirs: `/podfleet/<host name>`. */
  readonly cgroupParent: string;
  readonly runtime: RuntimeName;
  /** Where the OCI runtime and the monitor are looked for before the usual places. */
  readonly toolDirectories?: readonly string[];
  /** The longest that a call of the OCI runtime may take; 30 s when absent. */
  readonly runtimeTimeoutMs?: number;
  /** Bytes that one journal may take on disk; 1 GiB when absent. Beyond that its oldest records are dropped. */
  readonly journalBytesMax?: number;
  readonly clock?: Clock;
  readonly onProblem?: (problem: EngineProblem) => void;
}
