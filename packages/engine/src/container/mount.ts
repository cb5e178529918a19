import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { assertAllowed } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";

import { hasProcess } from "../state/container-process.ts";
import type { OperationRef } from "../state/state-store.ts";
import type { EngineParts } from "./engine-parts.ts";

/**
 * Mounts the root filesystem on the host for users, once more; `mount` of the snapshot says where, and how often. It stays across
 * runs, until it has been unmounted as often, or is cleaned up or removed.
 * @throws PodfleetError STATE_INVALID, STORAGE_FAILED
 */
export async function mountLocked(
  parts: EngineParts,
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
  parts: EngineParts,
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

function inUse(parts: EngineParts, { id, name, state }: ContainerSnapshot): PodfleetError {
  const sessions = parts.execs.listOf(id).filter(({ session }) => session.state === "running");
  const execs = sessions.length === 0 ? "" : ` and it has ${sessions.length} exec sessions`;
  return new PodfleetError(
    "STATE_INVALID",
    `Cannot unmount container "${name}": its last mount is in use, its state is "${state}"${execs}, stop it first`,
    { details: { container: name, state, execs: sessions.map(({ session }) => session.id) } },
  );
}

function notMounted({ name }: ContainerSnapshot): PodfleetError {
  return new PodfleetError(
    "NOT_MOUNTED",
    `Cannot unmount container "${name}": it is not mounted, mount it first`,
    { details: { container: name } },
  );
}
