import type { ContainerId } from "@podfleet/model/ids";
import { cgroupDirectories } from "@podfleet/oci/cgroup/cgroup";
import { removeCgroup } from "@podfleet/oci/cgroup/container-cgroup";

import { endExecs } from "../exec/end-execs.ts";
import { releaseBundleMounts } from "../host/bundle-mounts.ts";
import type { CommitNote } from "../state/state-store.ts";
import type { EngineParts } from "./engine-parts.ts";

/** Takes down what a run leaves: stopped → exited. */
export async function cleanUpLocked(
  parts: EngineParts,
  id: ContainerId,
  note: Pick<CommitNote, "operation" | "ends"> = {},
): Promise<void> {
  await discardRemains(parts, id);
  parts.store.update(id, { state: "exited" }, { event: "container.cleanup", ...note });
}

/** Whatever there is of the container in the OCI runtime, among cgroups and mounts and in the exit directory goes. */
export async function discardRemains(parts: EngineParts, id: ContainerId): Promise<void> {
  await endExecs(parts, id);
  await parts.runtime.delete(id, { force: true });
  const directories = cgroupDirectories(parts.cgroups, `${parts.cgroupParent}/${id}`);
  await removeCgroup(directories, parts.clock);
  await releaseBundleMounts(parts.paths.bundle(id));
  await releaseRootfsLocked(parts, id);
  parts.exits.forget(id);
}

/** Unmounts the root filesystem, unless users have it mounted (`byUsers`: they give it up) or something is being read from it. */
export async function releaseRootfsLocked(
  parts: EngineParts,
  id: ContainerId,
  { byUsers = false } = {},
): Promise<void> {
  const isKept = !byUsers && parts.store.find(id)?.snapshot.mount !== undefined;
  if (!isKept && !parts.rootfsUses.has(id)) await parts.storage.unmountRootfs(id);
}
