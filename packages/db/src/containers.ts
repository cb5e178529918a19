/** Queries for containers: their records, with the last state that their agents reported. */
import type { ContainerSummary } from "@podfleet/model/container/record";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { ContainerState } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";
import type { HostState } from "@podfleet/model/host";
import type { ContainerId, HostId } from "@podfleet/model/ids";
import type { Labels } from "@podfleet/model/name";
import { and, eq, inArray, isNull, like, or, type SQL, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { hostState } from "./host-state.ts";
import { hostColumns, type ListedHost } from "./hosts.ts";
import { containers, hosts } from "./schema.ts";

/** A container without its spec, which may be long and which few callers need. */
export interface ContainerRow {
  readonly id: ContainerId;
  readonly name: string;
  readonly image: string;
  readonly command: string[];
  readonly labels: Labels;
  readonly host: ListedHost;
  readonly state: ContainerState;
  readonly revision: number;
  readonly snapshot: ContainerSnapshot | null;
  readonly createdAt: Date;
  readonly removedAt: Date | null;
}

/** The values of a filter are alternatives, except for labels, which a container must all have. */
export interface ContainerFilters {
  /** Includes containers that are neither running nor paused; a filter by state implies it. */
  readonly all: boolean;
  readonly host?: readonly string[] | undefined;
  /** Substrings of the name. */
  readonly name?: readonly string[] | undefined;
  /** `key` or `key=value`. */
  readonly label?: readonly string[] | undefined;
  readonly state?: readonly ContainerState[] | undefined;
  /** Prefixes of the id, hex digits only. */
  readonly id?: readonly string[] | undefined;
  readonly limit?: number | undefined;
}

/** Lists containers, newest first. */
export async function listContainers(
  database: Database,
  filters: ContainerFilters,
): Promise<ContainerSummary[]> {
  // One object per host serves all its containers, here and in the serializer, which matters for long lists.
  const hostRows = await database.select(hostColumns).from(hosts);
  const byId = new Map(hostRows.map((host) => [host.id, shownHost(host)]));
  const where = and(isNull(containers.removedAt), ...conditions(filters, hostRows));
  // Raw SQL: drizzle's mapping of a thousand rows takes as long as the query itself.
  const { rows } = await database.execute<ListedRow>(sql`
    select id, name, host_id, image, command, labels, state, snapshot, created_at
    from ${containers} where ${where} order by created_at desc, id limit ${filters.limit ?? listMax}`);
  return rows.flatMap((row) => {
    const host = byId.get(row.host_id);
    if (!host) return [];
    const { id, name, image, command, labels, state } = row;
    const createdAt = new Date(row.created_at).toISOString();
    return [{ ...row.snapshot, id, name, image, command, labels, state, createdAt, ...host }];
  });
}

interface ListedRow extends Record<string, unknown> {
  readonly id: ContainerId;
  readonly name: string;
  readonly host_id: HostId;
  readonly image: string;
  readonly command: string[];
  readonly labels: Labels;
  readonly state: ContainerState;
  readonly snapshot: ContainerSnapshot | null;
  readonly created_at: string;
}

/** Most rows of a list whose caller sets no limit. */
const listMax = 100_000;

/**
 * The container with this name, this id or this unique prefix of an id. A name takes precedence over a prefix.
 * @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID
 */
export async function getContainer(database: Database, reference: string): Promise<ContainerRow> {
  const { rows } = await database.execute<FoundContainer>(sql`
    ${containersMeantBy(reference)}`);
  return theOneMeant(reference, rows);
}

/**
 * Selects at most two of the containers that a reference may mean. The first is the one that has the name, if there is one; two rows
 * without it mean that an id prefix is ambiguous.
 */
export function containersMeantBy(reference: string): SQL {
  const prefix = /^[0-9a-f]{1,64}$/.test(reference) ? reference : "";
  // A range lets the prepared plan use the index for any prefix; "g" sorts after all hex digits.
  const end = prefix === "" ? "" : `${prefix}g`;
  return sql`
    select ${containerColumns}, ${hostColumnsOfContainer}
    from containers join hosts on hosts.id = containers.host_id
    where containers.removed_at is null
      and (containers.name = ${reference} or (containers.id ~>=~ ${prefix} and containers.id ~<~ ${end}))
    order by containers.name = ${reference} desc, containers.id
    limit 2`;
}

/** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID */
export function theOneMeant(reference: string, found: readonly FoundContainer[]): ContainerRow {
  const [first, second] = found;
  if (!first) {
    throw new PodfleetError(
      "CONTAINER_NOT_FOUND",
      `Cannot find container ${JSON.stringify(reference)}: no container of the fleet has that name, id or id prefix`,
      { details: { container: reference } },
    );
  }
  if (second && first.name !== reference) {
    throw new PodfleetError(
      "AMBIGUOUS_ID",
      `Cannot tell which container is meant by ${JSON.stringify(reference)}: the ids of "${first.name}" and "${second.name}" begin with it`,
      { details: { container: reference, matches: [first.id, second.id] } },
    );
  }
  const { hostId, hostName, hostState: state, helloCount, lastSeenAt } = first;
  const host = { id: hostId, name: hostName, state, helloCount, lastSeenAt: new Date(lastSeenAt) };
  return containerRowOf(first, host);
}

/** The columns of a `ContainerRow`, without those of its host. */
export const containerColumns = sql.raw(`
  containers.id, containers.name, containers.image, containers.command, containers.labels, containers.state,
  containers.revision, containers.snapshot, containers.created_at as "createdAt", containers.removed_at as "removedAt"`);

export interface ContainerRecord extends Record<string, unknown> {
  readonly id: ContainerId;
  readonly name: string;
  readonly image: string;
  readonly command: string[];
  readonly labels: Labels;
  readonly state: ContainerState;
  readonly revision: number;
  readonly snapshot: ContainerSnapshot | null;
  readonly createdAt: string;
  readonly removedAt: string | null;
}

const hostColumnsOfContainer = sql`
  hosts.id as "hostId", hosts.name as "hostName", ${hostState} as "hostState", hosts.sessions as "helloCount",
  hosts.last_seen_at as "lastSeenAt"`;

export interface FoundContainer extends ContainerRecord {
  readonly hostId: HostId;
  readonly hostName: string;
  readonly hostState: HostState;
  readonly helloCount: number;
  readonly lastSeenAt: string;
}

export function containerRowOf(record: ContainerRecord, host: ListedHost): ContainerRow {
  const { id, name, image, command, labels, state, revision, snapshot } = record;
  const createdAt = new Date(record.createdAt);
  const removedAt = record.removedAt === null ? null : new Date(record.removedAt);
  return {
    id,
    name,
    image,
    command,
    labels,
    host,
    state,
    revision,
    snapshot,
    createdAt,
    removedAt,
  };
}

/** The container with this id, also a removed one while its row is kept. */
export async function findContainerById(
  database: Database,
  id: ContainerId,
): Promise<ContainerRow | undefined> {
  const [row] = await selectContainers(database).where(eq(containers.id, id));
  return row;
}

/** Names of the containers with these ids, also of removed ones while their rows are kept. */
export async function findContainerNames(
  database: Database,
  ids: readonly ContainerId[],
): Promise<ReadonlyMap<ContainerId, string>> {
  if (ids.length === 0) return new Map();
  const rows = await database
    .select({ id: containers.id, name: containers.name })
    .from(containers)
    .where(inArray(containers.id, [...ids]));
  return new Map(rows.map(({ id, name }) => [id, name]));
}

export async function findContainerSpec(
  database: Database,
  id: ContainerId,
): Promise<ContainerSpec | undefined> {
  const [row] = await database
    .select({ spec: containers.spec })
    .from(containers)
    .where(eq(containers.id, id));
  return row?.spec;
}

/** @param snapshot one that is newer than the row's own */
export function summaryOf(row: ContainerRow, snapshot = row.snapshot): ContainerSummary {
  const { id, image, command, labels } = row;
  return {
    ...snapshot,
    ...{ id, image, command, labels },
    name: snapshot?.name ?? row.name,
    state: snapshot?.state ?? row.state,
    createdAt: row.createdAt.toISOString(),
    ...shownHost(row.host),
  };
}

function shownHost({ id, name, state, lastSeenAt }: ListedHost) {
  return { host: { id, name, state }, observedAt: lastSeenAt.toISOString() };
}

const columns = {
  id: containers.id,
  name: containers.name,
  hostId: containers.hostId,
  image: containers.image,
  command: containers.command,
  labels: containers.labels,
  state: containers.state,
  revision: containers.revision,
  snapshot: containers.snapshot,
  createdAt: containers.createdAt,
  removedAt: containers.removedAt,
};

function selectContainers(database: Database) {
  return database
    .select({ ...columns, host: hostColumns })
    .from(containers)
    .innerJoin(hosts, eq(hosts.id, containers.hostId));
}

function conditions(
  filters: ContainerFilters,
  hostRows: readonly ListedHost[],
): (SQL | undefined)[] {
  const { all, host, name, label, state, id } = filters;
  const shown = state ?? (all ? undefined : (["running", "paused"] as const));
  const hostIds = hostRows
    .filter((row) => host?.includes(row.name) === true || host?.includes(row.id) === true)
    .map((row) => row.id);
  return [
    shown && inArray(containers.state, [...shown]),
    host && inArray(containers.hostId, hostIds),
    name && or(...name.map((part) => sql`position(${part} in ${containers.name}) > 0`)),
    ...(label ?? []).map(labelCondition),
    id && or(...id.map((prefix) => like(containers.id, `${prefix}%`))),
  ];
}

function labelCondition(label: string): SQL {
  const equals = label.indexOf("=");
  if (equals < 0) return sql`${containers.labels} ? ${label}`;
  const wanted = { [label.slice(0, equals)]: label.slice(equals + 1) };
  return sql`${containers.labels} @> ${JSON.stringify(wanted)}::jsonb`;
}
