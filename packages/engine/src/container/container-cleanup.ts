import type { Clock } from "@podfleet/base/clock";
import type { ContainerId } from "@podfleet/model/ids";
import { cgroupDirectories, type CgroupHierarchies } from "@podfleet/oci/cgroup/cgroup";
import { removeCgroup } from "@podfleet/oci/cgroup/container-cgroup";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import { releaseBundleMounts } from "../host/bundle-mounts.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import type { CommitNote, StateStore } from "../state/state-store.ts";
import type { ContainerExecs } from "./container-execs.ts";
import type { ExitWatcher } from "./exit-watcher.ts";

export interface CleanupParts {
  readonly clock: Clock;
  readonly paths: Pick<EnginePaths, "bundle">;
  readonly store: Pick<StateStore, "find" | "get" | "update">;
  readonly exits: Pick<ExitWatcher, "forget">;
  readonly runtime: Pick<OciRuntime, "delete">;
  readonly storage: Pick<ContainerStorage, "unmountRootfs">;
  /** Root filesystems that are being read from outside their containers' locks. */
  readonly rootfsUses: { has(id: ContainerId): boolean };
  readonly cgroups: CgroupHierarchies;
  /** The cgroup below which each container has its own. */
  readonly cgroupParent: string;
  readonly containerExecs: Pick<ContainerExecs, "endAllOf">;
}

type CleanupNote = Pick<CommitNote, "operation" | "ends">;

/** Takes down what a container's run leaves on the host. Each method is called with the container's lock held. */
export class ContainerCleanup {
  readonly #parts: CleanupParts;

  constructor(parts: CleanupParts) {
    this.#parts = parts;
  }

  /** stopped → exited. */
  async cleanUpLocked(id: ContainerId, note: CleanupNote = {}): Promise<void> {
    await this.discardLocked(id);
    this.#parts.store.update(id, { state: "exited" }, { event: "container.cleanup", ...note });
  }

  /** created, stopped → the state before the start: configured, or exited when the container has run. */
  async unwindLocked(id: ContainerId, note: CleanupNote = {}): Promise<void> {
    const { store } = this.#parts;
    await this.discardLocked(id);
    const state = store.get(id).snapshot.run > 0 ? "exited" : "configured";
    const gone = { pid: undefined, monitorPid: undefined, processes: {} };
    store.update(id, { state, ...gone }, { event: "container.cleanup", ...note });
  }

  /** Removes the container from the OCI runtime, its cgroups, its mounts and its exit file; the record stays. Idempotent. */
  async discardLocked(id: ContainerId): Promise<void> {
    const { cgroups, cgroupParent, clock, containerExecs, exits, paths, runtime } = this.#parts;
    await containerExecs.endAllOf(id);
    await runtime.delete(id, { force: true });
    await removeCgroup(cgroupDirectories(cgroups, `${cgroupParent}/${id}`), clock);
    await releaseBundleMounts(paths.bundle(id));
    await this.releaseRootfsLocked(id);
    exits.forget(id);
  }

  /** Unmounts the root filesystem, unless users have it mounted (`byUsers`: they give it up) or it is being read from. */
  async releaseRootfsLocked(id: ContainerId, { byUsers = false } = {}): Promise<void> {
    const { rootfsUses, storage, store } = this.#parts;
    const isKept = !byUsers && store.find(id)?.snapshot.mount !== undefined;
    if (!isKept && !rootfsUses.has(id)) await storage.unmountRootfs(id);
  }
}
