import type { EventRecord } from "@podfleet/model/event";
import type { EventType } from "@podfleet/model/event-type";
import { and, desc, eq, gt, gte, inArray, lte, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { hostIs } from "./hosts.ts";
import { concernsContainer } from "./operations.ts";
import { events, hosts } from "./schema.ts";

export interface EventFilters {
  /** The bounds are inclusive and compare with the host's clock. */
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  /** Name, id or id prefix, also of a removed container. */
  readonly container?: string | undefined;
  readonly host?: string | undefined;
  readonly types?: readonly EventType[] | undefined;
}

/** The newest `limit` events that match, oldest first. */
export async function listEvents(
  database: Database,
  filters: EventFilters & { readonly limit: number },
): Promise<EventRecord[]> {
  const rows = await selectEvents(database)
    .where(conditions(filters))
    .orderBy(desc(events.position))
    .limit(filters.limit);
  return rows.toReversed().map(toRecord);
}

/** The first `limit` events after `position` that match. */
export async function listEventsAfter(
  database: Database,
  position: number,
  filters: EventFilters & { readonly limit: number },
): Promise<EventRecord[]> {
  const rows = await selectEvents(database)
    .where(and(gt(events.position, position), conditions(filters)))
    .orderBy(events.position)
    .limit(filters.limit);
  return rows.map(toRecord);
}

/** Position of the last event; 0 when there is none. */
export async function lastPosition(database: Database): Promise<number> {
  const [row] = await database
    .select({ position: sql`coalesce(max(${events.position}), 0)`.mapWith(Number) })
    .from(events);
  return row?.position ?? 0;
}

function conditions({ since, until, container, host, types }: EventFilters) {
  return and(
    since && gte(events.time, since),
    until && lte(events.time, until),
    container === undefined ? undefined : concernsContainer(events, container),
    host === undefined ? undefined : hostIs(host),
    types && inArray(events.type, [...types]),
  );
}

function selectEvents(database: Database) {
  return database
    .select({ event: events, host: { id: hosts.id, name: hosts.name } })
    .from(events)
    .innerJoin(hosts, eq(hosts.id, events.hostId));
}

function toRecord(row: Awaited<ReturnType<typeof selectEvents>>[number]): EventRecord {
  const { event, host } = row;
  const { position, type, seq, containerId, containerName, operationId, attributes } = event;
  return {
    position,
    type,
    time: event.time.toISOString(),
    host,
    seq,
    ...(containerId === null ? {} : { container: { id: containerId, name: containerName ?? "" } }),
    ...(operationId === null ? {} : { operationId }),
    attributes,
  };
}
