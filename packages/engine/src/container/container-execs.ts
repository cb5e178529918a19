import type { ContainerId, ExecId } from "@podfleet/model/ids";

/** What a container's methods need to know and to end of its exec sessions. */
export interface ContainerExecs {
  /** The sessions whose command runs, as far as their records go. */
  runningOf(id: ContainerId): readonly ExecId[];
  /** A session whose command is alive now. */
  findAliveOf(id: ContainerId): ExecId | undefined;
  /** Resolves when the end of each session is on record. For a container whose process has ended. */
  endAllOf(id: ContainerId): Promise<void>;
}
