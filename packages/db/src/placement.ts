/** The records that a container's creation reads and writes; all of it runs under the placement lock. */
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { HostState } from "@podfleet/model/host";
import type { ContainerId, HostId } from "@podfleet/model/ids";
import type { ImageId } from "@podfleet/model/ids";
import type { Capacity } from "@podfleet/model/resources";
import { and, eq, inArray, isNull } from "drizzle-orm";

import type { Database } from "./database.ts";
import { hostState } from "./host-state.ts";
import { orZero, reservations } from "./hosts.ts";
import { containers, hostImages, hosts } from "./schema.ts";

export interface PlacementHost {
  readonly id: HostId;
  readonly name: string;
  readonly state: HostState;
  readonly sessions: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly capacity: Capacity;
  readonly reserved: Capacity;
  readonly containers: number;
  readonly images: readonly { readonly id: ImageId; readonly names: readonly string[] }[];
}

export async function listPlacementHosts(database: Database): Promise<PlacementHost[]> {
  const reserved = reservations(database);
  const rows = await database
    .select({
      id: hosts.id,
      name: hosts.name,
      state: hostState,
      sessions: hosts.sessions,
      labels: hosts.labels,
      capacity: { cpuMillis: hosts.cpuMillis, memoryBytes: hosts.memoryBytes },
      reserved: {
        cpuMillis: orZero(reserved.cpuMillis),
        memoryBytes: orZero(reserved.memoryBytes),
      },
      containers: orZero(reserved.total),
    })
    .from(hosts)
    .leftJoin(reserved, eq(reserved.hostId, hosts.id));
  const images = await database
    .select({ hostId: hostImages.hostId, id: hostImages.imageId, names: hostImages.names })
    .from(hostImages);
  const byHost = Map.groupBy(images, ({ hostId }) => hostId);
  return rows.map((row) => ({ ...row, images: byHost.get(row.id) ?? [] }));
}

/** Whether a container of the fleet has the name. */
export async function isNameTaken(database: Database, name: string): Promise<boolean> {
  const rows = await database
    .select({ id: containers.id })
    .from(containers)
    .where(and(eq(containers.name, name), isNull(containers.removedAt)));
  return rows.length > 0;
}

/** Where containers are; those that do not exist are left out. */
export async function locateContainers(
  database: Database,
  ids: readonly ContainerId[],
): Promise<{ id: ContainerId; name: string; hostId: HostId }[]> {
  if (ids.length === 0) return [];
  return await database
    .select({ id: containers.id, name: containers.name, hostId: containers.hostId })
    .from(containers)
    .where(and(inArray(containers.id, [...ids]), isNull(containers.removedAt)));
}

export interface NewContainer {
  readonly id: ContainerId;
  readonly name: string;
  readonly hostId: HostId;
  readonly spec: ContainerSpec;
  readonly reservation: Capacity;
}

export async function insertContainer(
  database: Database,
  { reservation, ...container }: NewContainer,
): Promise<void> {
  await database.insert(containers).values({ ...container, ...reservation });
}
