import type { Clock } from "@podfleet/base/clock";
import type { HealthLog } from "@podfleet/model/container/healthcheck";
import type { ContainerPaths } from "@podfleet/model/container/record";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { ContainerId } from "@podfleet/model/ids";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import type { EnginePaths } from "../host/engine-paths.ts";
import type { StateStore } from "../state/state-store.ts";

export interface ContainerInspection {
  readonly container: ContainerSnapshot;
  readonly spec: ContainerSpec;
  readonly asOf: string;
  /** Present for a container with a healthcheck. */
  readonly healthLog?: HealthLog;
  readonly paths: ContainerPaths;
}

export interface InspectParts {
  readonly clock: Pick<Clock, "nowMs">;
  readonly paths: Pick<EnginePaths, "bundle" | "journal">;
  readonly store: Pick<StateStore, "get">;
  readonly storage: Pick<ContainerStorage, "isMounted" | "rootfsPath">;
  /** Paths of the container's checkpoint, where it has one. */
  readonly checkpointPaths: (snapshot: ContainerSnapshot) => Pick<ContainerPaths, "checkpoint">;
}

/** @throws PodfleetError CONTAINER_NOT_FOUND */
export function inspectContainer(parts: InspectParts, id: ContainerId): ContainerInspection {
  const { checkpointPaths, clock, paths, storage, store } = parts;
  const { snapshot, spec, healthLog } = store.get(id);
  const rootfs = storage.isMounted(id) ? { rootfs: storage.rootfsPath(id) } : {};
  return {
    container: snapshot,
    spec,
    asOf: new Date(clock.nowMs()).toISOString(),
    ...(healthLog ? { healthLog } : {}),
    paths: {
      ...{ bundle: paths.bundle(id), journal: paths.journal(id) },
      ...rootfs,
      ...checkpointPaths(snapshot),
    },
  };
}
