/** Queries for the placement of new containers and for changes of names and reservations, all under the placement lock. */
import type { HostState } from "@podfleet/model/host";
import type { ContainerId, HostId, ImageId, OperationId } from "@podfleet/model/ids";
import type { Labels } from "@podfleet/model/name";
import type { Capacity } from "@podfleet/model/resources";
import { and, eq, inArray, isNull, ne, sql } from "drizzle-orm";

import { lockStatement } from "./advisory-lock.ts";
import type { Database } from "./database.ts";
import { hostState } from "./host-state.ts";
import { type ListedHost, reservations } from "./hosts.ts";
import { claims, containers } from "./schema.ts";

export interface PlacementHost extends ListedHost {
  readonly labels: Readonly<Record<string, string>>;
  readonly capacity: Capacity;
  readonly reserved: Capacity;
  readonly containers: number;
  readonly images: readonly { readonly id: ImageId; readonly names: readonly string[] }[];
}

export interface PlacementRecords {
  /** A container has the name, or an operation has claimed it. */
  readonly isNameTaken: boolean;
  readonly hosts: PlacementHost[];
}

/** Takes the placement lock until the transaction ends, and reads the hosts and whether the name is taken. */
export async function lockPlacement(
  transaction: Database,
  name: string,
): Promise<PlacementRecords> {
  const read = sql`
    /* placement_records */
    select hosts.id, hosts.name, ${hostState} as state, hosts.sessions as "helloCount", hosts.last_seen_at as "lastSeenAt",
      hosts.labels, hosts.cpu_millis as "cpuMillis", hosts.memory_bytes as "memoryBytes",
      reserved.cpu_millis as "cpuReserved", reserved.memory_bytes as "memoryReserved",
      reserved.total as containers,
      (select jsonb_agg(jsonb_build_object('id', host_images.image_id, 'names', host_images.names))
        from host_images where host_images.host_id = hosts.id) as images,
      exists (select from containers where containers.name = ${name} and containers.removed_at is null)
        or exists (select from claims where claims.name = ${name}) as "isNameTaken"
    from hosts left join ${reservations} on reserved.host_id = hosts.id`;
  const [, { rows }] = await Promise.all([
    transaction.execute(lockStatement("placement")),
    transaction.execute<PlacementRecord>(read),
  ]);
  return { isNameTaken: rows[0]?.isNameTaken ?? false, hosts: rows.map(toPlacementHost) };
}

interface PlacementRecord extends Record<string, unknown> {
  readonly id: HostId;
  readonly name: string;
  readonly state: HostState;
  readonly helloCount: number;
  readonly lastSeenAt: string;
  readonly labels: Labels;
  readonly cpuMillis: number;
  /** pg returns `bigint` and `numeric` as text. */
  readonly memoryBytes: string;
  readonly cpuReserved: string | null;
  readonly memoryReserved: string | null;
  readonly containers: string | null;
  readonly images: PlacementHost["images"] | null;
  readonly isNameTaken: boolean;
}

function toPlacementHost(record: PlacementRecord): PlacementHost {
  const { id, name, state, helloCount, labels, cpuMillis, memoryBytes } = record;
  return {
    ...{ id, name, state, helloCount, labels },
    lastSeenAt: new Date(record.lastSeenAt),
    capacity: { cpuMillis, memoryBytes: Number(memoryBytes) },
    reserved: {
      cpuMillis: Number(record.cpuReserved ?? 0),
      memoryBytes: Number(record.memoryReserved ?? 0),
    },
    containers: Number(record.containers ?? 0),
    images: record.images ?? [],
  };
}

/** Whether a container other than `except` has the name, or an operation has claimed it. */
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
  /** Names that the operation gives the container, one after another. */
  readonly names: readonly string[];
  /** Increase of the container's reservation. */
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

/** Hosts of containers. Ids of containers that do not exist are left out. */
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
