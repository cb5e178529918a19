import { PodfleetError } from "@podfleet/model/errors";
import type { HostInfo, HostRecord, HostState } from "@podfleet/model/host";
import type { HostId } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import { eq, inArray, or, type SQL, sql } from "drizzle-orm";

import { violatesUnique } from "./database-error.ts";
import type { Database } from "./database.ts";
import { hostState } from "./host-state.ts";
import { replaceImages } from "./images.ts";
import { hosts } from "./schema.ts";

/**
 * Records the hello of an agent: its host and the images that the host holds.
 * @returns sequence number of the host's last stored event; 0 before the first
 * @throws PodfleetError NAME_IN_USE when another host has the name
 */
export async function registerHost(
  database: Database,
  host: HostInfo,
  images: readonly Image[],
): Promise<number> {
  const { id, name, labels, capacity, ...facts } = host;
  const row = { name, labels, facts, ...capacity };
  try {
    return await database.transaction(async (transaction) => {
      const [registered] = await transaction
        .insert(hosts)
        .values({ id, ...row })
        .onConflictDoUpdate({
          target: hosts.id,
          set: {
            ...row,
            helloCount: sql`${hosts.helloCount} + 1`,
            lastSeenAt: sql`clock_timestamp()`,
          },
        })
        .returning({ committedSeq: hosts.committedSeq });
      await replaceImages(transaction, id, images);
      return registered?.committedSeq ?? 0;
    });
  } catch (error) {
    if (!violatesUnique(error, "hosts_name_unique")) throw error;
    throw new PodfleetError(
      "NAME_IN_USE",
      `Cannot register host "${id}": another host is called ${JSON.stringify(name)}`,
      { details: { host: name }, cause: error },
    );
  }
}

/** Records that the agents of these hosts were heard just now. */
export async function touchHosts(database: Database, ids: readonly HostId[]): Promise<void> {
  await database
    .update(hosts)
    .set({ lastSeenAt: sql`clock_timestamp()` })
    .where(inArray(hosts.id, [...ids]));
}

export interface HostLiveness {
  readonly id: HostId;
  readonly name: string;
  readonly state: HostState;
  /** Grows with each hello. */
  readonly helloCount: number;
}

export const livenessColumns = {
  id: hosts.id,
  name: hosts.name,
  state: hostState,
  helloCount: hosts.helloCount,
};

export interface ListedHost extends HostLiveness {
  readonly lastSeenAt: Date;
}

export const hostColumns = { ...livenessColumns, lastSeenAt: hosts.lastSeenAt };

export async function listHostLiveness(database: Database): Promise<HostLiveness[]> {
  return await database.select(livenessColumns).from(hosts).orderBy(hosts.name);
}

/** Lists hosts by name. */
export async function listHosts(database: Database): Promise<HostRecord[]> {
  const rows = await selectHosts(database).orderBy(hosts.name);
  return rows.map(toRecord);
}

/** @throws PodfleetError HOST_NOT_FOUND when no host has that name or id */
export async function getHost(database: Database, reference: string): Promise<HostRecord> {
  const [row] = await selectHosts(database).where(hostIs(reference));
  if (!row) throw hostNotFound(reference);
  return toRecord(row);
}

export function hostNotFound(reference: string): PodfleetError {
  return new PodfleetError("HOST_NOT_FOUND", `Cannot find host ${JSON.stringify(reference)}`, {
    details: { host: reference },
  });
}

/** SQL condition: the host has this name or id. */
export function hostIs(reference: string) {
  return or(eq(hosts.name, reference), sql`${hosts.id} = ${reference}`);
}

/** Subquery, one row per host that has containers: their number, and what they and the claims on the host reserve. */
export const reservations = sql`(
  select containers.host_id,
    sum(containers.cpu_millis) + coalesce((
      select sum(claims.cpu_millis) from claims where claims.host_id = containers.host_id), 0) as cpu_millis,
    sum(containers.memory_bytes) + coalesce((
      select sum(claims.memory_bytes) from claims where claims.host_id = containers.host_id), 0) as memory_bytes,
    count(*) as total,
    count(*) filter (where containers.state = 'running') as running
  from containers
  where containers.removed_at is null
  group by containers.host_id) as reserved`;

/** A column of `reservations`, which has no row for a host without containers. */
function orZero(column: string): SQL<number> {
  return sql`coalesce(reserved.${sql.identifier(column)}, 0)`.mapWith(Number);
}

function selectHosts(database: Database) {
  return database
    .select({
      host: hosts,
      state: hostState,
      reserved: { cpuMillis: orZero("cpu_millis"), memoryBytes: orZero("memory_bytes") },
      containers: { total: orZero("total"), running: orZero("running") },
    })
    .from(hosts)
    .leftJoin(reservations, sql`reserved.host_id = ${hosts.id}`);
}

function toRecord(row: Awaited<ReturnType<typeof selectHosts>>[number]): HostRecord {
  const { host, state, reserved, containers: counts } = row;
  return {
    id: host.id,
    name: host.name,
    labels: host.labels,
    capacity: { cpuMillis: host.cpuMillis, memoryBytes: host.memoryBytes },
    ...host.facts,
    state,
    lastSeenAt: host.lastSeenAt.toISOString(),
    reserved,
    containers: counts,
  };
}
