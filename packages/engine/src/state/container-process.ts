/** What a container's record says of its process and its monitor. */
import { type ContainerSnapshot, isCheckpointed } from "@podfleet/model/container/snapshot";
import { identityOf, isAlive } from "@podfleet/oci/process/process-identity";

import type { ContainerRecord } from "./container-record.ts";

/** Whether a process of the container exists, as far as the record goes. */
export function hasProcess({ state }: Pick<ContainerSnapshot, "state">): boolean {
  return state === "created" || state === "running" || state === "paused";
}

/** Whether its run has ended and its restart policy is about to start it again. */
export function isRestarting({ restartAt }: Pick<ContainerSnapshot, "restartAt">): boolean {
  return restartAt !== undefined;
}

/** Whether the monitor that the record names runs. */
export function isMonitorAlive({ snapshot, processes }: ContainerRecord): boolean {
  const monitor = identityOf(snapshot.monitorPid, processes.monitorStartTicks);
  return monitor !== undefined && isAlive(monitor);
}

/** Whether it is removed when its run has ended. A checkpoint is not the end of it: a restore goes on. */
export function isRemovedAfterRun({
  spec,
  snapshot,
}: Pick<ContainerRecord, "spec" | "snapshot">): boolean {
  return spec.autoRemove && !isCheckpointed(snapshot);
}
