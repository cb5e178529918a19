/** Records new operations together with their containers, each in one statement. */
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { ContainerId } from "@podfleet/model/ids";
import type { Capacity } from "@podfleet/model/resources";
import { type SQL, sql } from "drizzle-orm";

import {
  containerColumns,
  type ContainerRecord,
  type ContainerRow,
  containerRowOf,
  containersMeantBy,
  type FoundContainer,
} from "./containers.ts";
import type { Database } from "./database.ts";
import type { ListedHost } from "./hosts.ts";
import { driveLease, type NewOperation } from "./operations.ts";

export type AdmittedOperation = Omit<NewOperation, "container" | "hostId" | "outcome">;

export interface RecordedOnContainer {
  /** The candidates for `theOneMeant`. */
  readonly found: readonly FoundContainer[];
  /** False when the reference means no container or several, or when the operation's id is taken. */
  readonly isRecorded: boolean;
}

/** Records an operation on the one container that `reference` means: a name, an id or its prefix. */
export async function recordOnContainer(
  database: Database,
  operation: AdmittedOperation,
  reference: string,
): Promise<RecordedOnContainer> {
  const { rows } = await database.execute<FoundContainer & { readonly isRecorded: boolean }>(sql`
    /* record_on_container */
    with found as (${containersMeantBy(reference)}),
    meant as (
      select * from found where found.name = ${reference} or (select count(*) from found) = 1),
    recorded as (
      insert into operations (${operationColumns})
      select ${valuesOf(operation, "dispatched")}, meant.id, meant.name, meant."hostId" from meant
      on conflict (id) do nothing
      returning 1)
    select found.*, exists (select from recorded) as "isRecorded" from found
    order by found.name = ${reference} desc, found.id`);
  return { found: rows, isRecorded: rows[0]?.isRecorded ?? false };
}

export interface NewContainer {
  readonly id: ContainerId;
  readonly name: string;
  readonly host: ListedHost;
  readonly spec: ContainerSpec;
  readonly reservation: Capacity;
}

/**
 * Records the operation that makes a container, and the container.
 * @returns undefined when the operation's id is taken
 */
export async function recordCreation(
  transaction: Database,
  operation: AdmittedOperation & { readonly status: "pending" | "dispatched" },
  container: NewContainer,
): Promise<ContainerRow | undefined> {
  const { id, name, host, spec, reservation } = container;
  const { rows } = await transaction.execute<ContainerRecord>(sql`
    /* record_creation */
    with recorded as (
      insert into operations (${operationColumns})
      values (${valuesOf(operation, operation.status)}, ${id}, ${name}, ${host.id})
      on conflict (id) do nothing
      returning 1)
    insert into containers (id, name, host_id, spec, cpu_millis, memory_bytes)
    select ${id}::text, ${name}::text, ${host.id}::text, ${JSON.stringify(spec)}::jsonb,
      ${reservation.cpuMillis}::integer, ${reservation.memoryBytes}::bigint
    from recorded
    returning ${containerColumns}`);
  return rows[0] && containerRowOf(rows[0], host);
}

const operationColumns = sql.raw(
  "id, verb, request, status, caller, trace_id, driven_until, container_id, container_name, host_id",
);

function valuesOf(
  { id, verb, request, caller, traceId }: AdmittedOperation,
  status: "pending" | "dispatched",
): SQL {
  return sql`${id}::uuid, ${verb}::text, ${JSON.stringify(request)}::jsonb, ${status}::text, ${caller}::text,
    ${traceId ?? null}::text, ${driveLease}`;
}
