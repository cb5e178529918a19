import type { Clock } from "@podfleet/base/clock";
import type { ContainerProcess, ContainerUsage } from "@podfleet/model/container/usage";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import type { CgroupHierarchies } from "@podfleet/oci/cgroup/cgroup";
import { readUserNames } from "@podfleet/oci/rootfs/user";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import type { StateStore } from "../state/state-store.ts";
import { readPids } from "./cgroup-files.ts";
import { readCgroupUsage, readNetworkUsage } from "./counters.ts";
import { listContainerProcesses } from "./process-list.ts";

export interface UsageReaderParts {
  readonly clock: Pick<Clock, "nowMs">;
  readonly store: Pick<StateStore, "get">;
  readonly storage: Pick<ContainerStorage, "rootfsPath">;
  readonly cgroups: CgroupHierarchies;
  /** The cgroup below which each container has its own. */
  readonly cgroupParent: string;
}

/** Reads what containers run and use now. It takes no lock. */
export class UsageReader {
  readonly #parts: UsageReaderParts;

  constructor(parts: UsageReaderParts) {
    this.#parts = parts;
  }

  /**
   * Lists the processes of a running container, those of exec sessions too, by pid.
   * @throws PodfleetError CONTAINER_NOT_FOUND; STATE_INVALID unless it runs
   */
  async processes(id: ContainerId): Promise<ContainerProcess[]> {
    const { cgroupParent, cgroups, storage, store } = this.#parts;
    assertAllowed("top", store.get(id).snapshot);
    const [pids, names] = await Promise.all([
      readPids(cgroups, `${cgroupParent}/${id}`),
      readUserNames(storage.rootfsPath(id)),
    ]);
    return await listContainerProcesses(pids, names);
  }

  /**
   * Reads what the container's processes use.
   * @throws PodfleetError CONTAINER_NOT_FOUND; STATE_INVALID unless it runs or is paused
   */
  async usage(id: ContainerId): Promise<ContainerUsage> {
    const { cgroupParent, cgroups, clock, store } = this.#parts;
    const { snapshot, spec } = store.get(id);
    assertAllowed("stats", snapshot);
    const usage = await readCgroupUsage(cgroups, `${cgroupParent}/${id}`);
    const pid = spec.networkMode === "host" ? undefined : snapshot.pid;
    const network = pid === undefined ? undefined : await readNetworkUsage(pid);
    return {
      at: new Date(clock.nowMs()).toISOString(),
      ...(snapshot.startedAt ? { startedAt: snapshot.startedAt } : {}),
      ...usage,
      ...(network ? { network } : {}),
    };
  }
}
