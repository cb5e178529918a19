/** The records that the creation and the change of a container read and write; all of it runs under the placement lock. */
import { invariant } from "@podfleet/base/invariant";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { ContainerId, HostId, ImageId, OperationId } from "@podfleet/model/ids";
import type { Capacity } from "@podfleet/model/resources";
import { and, eq, inArray, isNull, ne, sql } from "drizzle-orm";

import type { ContainerRow } from "./containers.ts";
import type { Database } from "./database.ts";
import { hostColumns, type ListedHost, orZero, reservations } from "./hosts.ts";
import { claims, containers, hostImages, hosts } from "./schema.ts";

export interface PlacementHost extends ListedHost {
  readonly labels: Readonly<Record<string, string>>;
  readonly capacity: Capacity;
  readonly reserved: Capacity;
  readonly containers: number;
  readonly images: readonly { readonly id: ImageId; readonly names: readonly string[] }[];
}

export async function listPlacementHosts(database: Database): Promise<PlacementHost[]> {
  const reserved = reservations(database);
  return await database
    .select({
      ...hostColumns,
      labels: hosts.labels,
      capacity: { cpuMillis: hosts.cpuMillis, memoryBytes: hosts.memoryBytes },
      reserved: {
        cpuMillis: orZero(reserved.cpuMillis),
        memoryBytes: orZero(reserved.memoryBytes),
      },
      containers: orZero(reserved.total),
      images: imagesOfHost,
    })
    .from(hosts)
    .leftJoin(reserved, eq(reserved.hostId, hosts.id));
}

const imagesOfHost = sql<PlacementHost["images"]>`coalesce(
  (select jsonb_agg(jsonb_build_object('id', ${hostImages.imageId}, 'names', ${hostImages.names}))
    from ${hostImages} where ${hostImages.hostId} = ${hosts.id}), '[]')`;

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

/** @returns what Postgres has made of it */
export async function insertContainer(
  database: Database,
  { reservation, ...container }: NewContainer,
): Promise<Pick<ContainerRow, "image" | "command" | "labels" | "state" | "createdAt">> {
  const { image, command, labels, state, createdAt } = containers;
  const [inserted] = await database
    .insert(containers)
    .values({ ...container, ...reservation })
    .returning({ image, command, labels, state, createdAt });
  invariant(inserted, "an insert returns its row");
  return inserted;
}
