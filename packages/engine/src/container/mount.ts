import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import { hasProcess } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";
import type { OperationRef } from "../state/state-store.ts";
import type { ContainerCleanup } from "./container-cleanup.ts";
import type { ContainerExecs } from "./container-execs.ts";

export interface MountParts {
  readonly store: Pick<StateStore, "get" | "update">;
  readonly storage: Pick<ContainerStorage, "mountRootfs">;
  readonly cleanup: Pick<ContainerCleanup, "releaseRootfsLocked">;
  readonly containerExecs: Pick<ContainerExecs, "runningOf">;
}

/**
 * Mounts the root filesystem on the host for users, once more; `mount` of the snapshot says where, and how often. It stays across
 * runs, until it has been unmounted as often, or is cleaned up or removed.
 * @throws PodfleetError STATE_INVALID, STORAGE_FAILED
 */
export async function mountLocked(
  parts: MountParts,
  id: ContainerId,
  { operation }: { readonly operation: OperationRef },
): Promise<void> {
  const { snapshot } = parts.store.get(id);
  assertAllowed("mount", snapshot);
  const path = await parts.storage.mountRootfs(id, snapshot.imageId);
  const mount = { path, count: (snapshot.mount?.count ?? 0) + 1 };
  parts.store.update(
    id,
    { mount },
    { event: "container.mount", attributes: { ...mount }, operation, ends: "succeeded" },
  );
}

/**
 * Takes one mount back; with `force` all of them, unless a process of the container uses the root filesystem, which keeps its own
 * mount whatever users do.
 * @throws PodfleetError NOT_MOUNTED; STATE_INVALID when the only mount is that of the container's process; STORAGE_FAILED
 */
export async function unmountLocked(
  parts: MountParts,
  id: ContainerId,
  { operation, force }: { readonly operation: OperationRef; readonly force: boolean },
): Promise<void> {
  const { snapshot } = parts.store.get(id);
  assertAllowed("unmount", snapshot);
  const { mount } = snapshot;
  const isInUse = hasProcess(snapshot);
  if (!mount) throw isInUse ? inUse(parts, snapshot) : notMounted(snapshot);
  const count = force && !isInUse ? 0 : mount.count - 1;
  if (count === 0 && !isInUse) await parts.cleanup.releaseRootfsLocked(id, { byUsers: true });
  parts.store.update(
    id,
    { mount: count === 0 ? undefined : { ...mount, count } },
    { event: "container.unmount", attributes: { count }, operation, ends: "succeeded" },
  );
}

function inUse(parts: MountParts, { id, name, state }: ContainerSnapshot): PodfleetError {
  const sessions = parts.containerExecs.runningOf(id);
  const execs = sessions.length === 0 ? "" : ` and it has ${sessions.length} exec sessions`;
  return new PodfleetError(
    "STATE_INVALID",
    `Cannot unmount container "${name}": its last mount is in use, its state is "${state}"${execs}, stop it first`,
    { details: { container: name, state, execs: [...sessions] } },
  );
}

function notMounted({ name }: ContainerSnapshot): PodfleetError {
  return new PodfleetError(
    "NOT_MOUNTED",
    `Cannot unmount container "${name}": it is not mounted, mount it first`,
    { details: { container: name } },
  );
}
