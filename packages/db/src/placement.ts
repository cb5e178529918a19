/** The records that the creation and the change of a container read and write; all of it runs under the placement lock. */
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { HostState } from "@podfleet/model/host";
import type { ContainerId, HostId, ImageId, OperationId } from "@podfleet/model/ids";
import type { Capacity } from "@podfleet/model/resources";
import { and, eq, inArray, isNull, ne, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { hostState } from "./host-state.ts";
import { orZero, reservations } from "./hosts.ts";
import { claims, containers, hostImages, hosts } from "./schema.ts";

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

/** Whether a container of the fleet has the name or is about to; `except` aside. */
export async function isNameTaken(
  database: Database,
  name: string,
  except?: ContainerId,
): Promise<boolean> {
  const held = database
    .select({ name: containers.name })
    .from(containers)
    .where(
      and(
        eq(containers.name, name),
        isNull(containers.removedAt),
        except && ne(containers.id, except),
      ),
    );
  const claimed = database
    .select({ name: sql<string>`${claims.name}` })
    .from(claims)
    .where(eq(claims.name, name));
  return (await held.unionAll(claimed)).length > 0;
}

export interface Claim {
  readonly operationId: OperationId;
  readonly hostId: HostId;
  /** Names that the container is to have, one after another. */
  readonly names: readonly string[];
  /** What it is to have reserved beyond what it has. */
  readonly extra: Capacity;
}

export async function insertClaims(
  database: Database,
  { operationId, hostId, names, extra }: Claim,
): Promise<void> {
  const grows = extra.cpuMillis > 0 || extra.memoryBytes > 0;
  const rows = [
    ...(grows ? [{ operationId, hostId, ...extra }] : []),
    ...names.map((name) => ({ operationId, hostId, name })),
  ];
  if (rows.length > 0) await database.insert(claims).values(rows);
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
