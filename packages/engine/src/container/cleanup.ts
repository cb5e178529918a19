import type { ContainerId } from "@podfleet/model/ids";

import { removeCgroup } from "../host/container-cgroup.ts";
import { releaseNetworkNamespace } from "../host/network-namespace.ts";
import { cgroupDirectories } from "../oci/cgroup.ts";
import type { OperationRef } from "../state/state-store.ts";
import type { EngineParts } from "./engine-parts.ts";

/** Takes down what a run leaves: stopped → exited. */
export async function cleanUpLocked(
  parts: EngineParts,
  id: ContainerId,
  operation?: OperationRef,
): Promise<void> {
  await discardRemains(parts, id);
  parts.store.update(id, { state: "exited" }, { event: "container.cleanup", operation });
}

/** Whatever there is of the container in the OCI runtime, among cgroups and mounts and in the exit directory goes. */
export async function discardRemains(parts: EngineParts, id: ContainerId): Promise<void> {
  await parts.runtime.delete(id, { force: true });
  const directories = cgroupDirectories(parts.cgroups, `${parts.cgroupParent}/${id}`);
  await removeCgroup(directories, parts.clock);
  await releaseNetworkNamespace(parts.paths.networkNamespace(id));
  await parts.storage.unmountRootfs(id);
  parts.exits.forget(id);
}
