/** Queries for operations, the records of mutations; model/operation describes their states. */
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId, HostId, OperationId } from "@podfleet/model/ids";
import type { OperationOutcome, OperationRecord, OperationStatus } from "@podfleet/model/operation";
import type { Verb } from "@podfleet/model/verb/verbs";
import { and, desc, eq, isNull, like, lt, or, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { hostState } from "./host-state.ts";
import { hostIs } from "./hosts.ts";
import { type events, hosts, operationHosts, operations } from "./schema.ts";

export type OperationRow = typeof operations.$inferSelect;

export interface NewOperation {
  readonly id: OperationId;
  readonly verb: Verb;
  readonly request: Readonly<Record<string, unknown>>;
  readonly container?: { readonly id: ContainerId; readonly name: string };
  readonly hostId?: HostId | undefined;
  readonly caller: string;
  readonly traceId: string | undefined;
  /** Present when the operation is refused before it is sent. */
  readonly outcome?: OperationOutcome;
}

/**
 * Records an operation: as finished when it has an outcome, otherwise as driven by the caller.
 * @returns false when the id is taken
 */
export async function insertOperation(
  database: Database,
  operation: NewOperation,
  status: Exclude<OperationStatus, "succeeded" | "failed">,
): Promise<boolean> {
  const { container, outcome, ...rest } = operation;
  const inserted = await database
    .insert(operations)
    .values({
      ...rest,
      containerId: container?.id,
      containerName: container?.name,
      ...(outcome
        ? { status: outcome.status, outcome, finishedAt: sql`clock_timestamp()` }
        : { status, drivenUntil: driveLease }),
    })
    .onConflictDoNothing({ target: operations.id })
    .returning({ id: operations.id });
  return inserted.length > 0;
}

/**
 * The operation with this id.
 * @throws PodfleetError CONFLICT when it is of another request
 */
export async function findOperation(
  database: Database,
  id: OperationId,
  request: Readonly<Record<string, unknown>>,
): Promise<OperationRow | undefined> {
  const [found] = await database
    .select({
      row: operations,
      isSame: sql<boolean>`${operations.request} = ${JSON.stringify(request)}::jsonb`,
    })
    .from(operations)
    .where(eq(operations.id, id));
  if (!found || found.isSame) return found?.row;
  throw new PodfleetError(
    "CONFLICT",
    `Cannot use operation id "${id}": it was used for another request, ${found.row.verb}`,
    { details: { operationId: id, verb: found.row.verb } },
  );
}

/** Time after which an operation whose driver is silent may be settled by others. */
export const driveLeaseMs = 45_000;
export const driveLease = sql`clock_timestamp() + make_interval(secs => ${sql.raw(String(driveLeaseMs / 1000))})`;

/**
 * Becomes another driver of an operation under way, which is then sent to its host once more.
 * @returns the row, which has an outcome when the operation has finished meanwhile
 */
export async function joinOperation(database: Database, id: OperationId): Promise<OperationRow> {
  const [joined] = await database
    .update(operations)
    .set({ attempts: sql`${operations.attempts} + 1`, drivenUntil: driveLease })
    .where(and(eq(operations.id, id), isNull(operations.finishedAt)))
    .returning();
  return joined ?? (await getOperationRow(database, id));
}

/** Renews the driver's lease. */
export async function extendDrive(database: Database, id: OperationId): Promise<void> {
  await database
    .update(operations)
    .set({ drivenUntil: driveLease })
    .where(and(eq(operations.id, id), isNull(operations.finishedAt)));
}

/** Ends the driver's lease: others may settle the operation. */
export async function releaseDrive(database: Database, id: OperationId): Promise<void> {
  await database
    .update(operations)
    .set({ drivenUntil: sql`clock_timestamp()` })
    .where(and(eq(operations.id, id), isNull(operations.finishedAt)));
}

/** Whether `id` is unfinished and has had no driver but the caller. Locks the row until the transaction ends. */
export async function lockSoleAttempt(transaction: Database, id: OperationId): Promise<boolean> {
  const [row] = await transaction
    .select({ id: operations.id })
    .from(operations)
    .where(and(eq(operations.id, id), isNull(operations.finishedAt), eq(operations.attempts, 1)))
    .for("update");
  return row !== undefined;
}

export async function markDispatched(database: Database, id: OperationId): Promise<void> {
  await database
    .update(operations)
    .set({ status: "dispatched", drivenUntil: driveLease })
    .where(and(eq(operations.id, id), eq(operations.status, "pending")));
}

export interface UnsettledOperation {
  readonly id: OperationId;
  readonly host: { readonly id: HostId; readonly name: string };
}

/** Operations that were sent, have no driver, and whose host is reachable: one row for each host without an outcome. */
export async function listUnsettled(
  database: Database,
  limit: number,
): Promise<UnsettledOperation[]> {
  return await database
    .select({ id: operations.id, host: { id: hosts.id, name: hosts.name } })
    .from(operations)
    .leftJoin(
      operationHosts,
      and(eq(operationHosts.operationId, operations.id), isNull(operationHosts.outcome)),
    )
    .innerJoin(hosts, sql`${hosts.id} = coalesce(${operationHosts.hostId}, ${operations.hostId})`)
    .where(
      and(
        isNull(operations.finishedAt),
        eq(operations.status, "dispatched"),
        lt(operations.drivenUntil, sql`clock_timestamp()`),
        sql`${hostState} = 'ready'`,
      ),
    )
    .orderBy(operations.drivenUntil)
    .limit(limit);
}

/** Operations that were never sent and have had no driver for `idleMs`. */
export async function listAbandoned(
  database: Database,
  limits: { readonly idleMs: number; readonly max: number },
): Promise<{ id: OperationId; hostId: HostId | null }[]> {
  return await database
    .select({ id: operations.id, hostId: operations.hostId })
    .from(operations)
    .where(
      and(
        isNull(operations.finishedAt),
        eq(operations.status, "pending"),
        lt(
          operations.drivenUntil,
          sql`clock_timestamp() - make_interval(secs => ${limits.idleMs / 1000})`,
        ),
      ),
    )
    .limit(limits.max);
}

export async function failAbandoned(
  database: Database,
  id: OperationId,
  outcome: OperationOutcome,
): Promise<void> {
  await database
    .update(operations)
    .set({ status: outcome.status, outcome, finishedAt: sql`clock_timestamp()` })
    .where(and(eq(operations.id, id), eq(operations.status, "pending")));
}

export async function insertOperationHosts(
  database: Database,
  operationId: OperationId,
  hostIds: readonly HostId[],
): Promise<void> {
  await database
    .insert(operationHosts)
    .values(hostIds.map((hostId) => ({ operationId, hostId })))
    .onConflictDoNothing();
}

export interface OperationHostRow {
  readonly host: { readonly id: HostId; readonly name: string };
  readonly outcome: OperationOutcome | null;
}

/** Lists the hosts of an operation by name, with their outcomes. */
export async function listOperationHosts(
  database: Database,
  operationId: OperationId,
): Promise<OperationHostRow[]> {
  return await database
    .select({ host: { id: hosts.id, name: hosts.name }, outcome: operationHosts.outcome })
    .from(operationHosts)
    .innerJoin(hosts, eq(hosts.id, operationHosts.hostId))
    .where(eq(operationHosts.operationId, operationId))
    .orderBy(hosts.name);
}

export interface OperationFilters {
  readonly limit: number;
  /** Name, id or id prefix, also of a removed container. */
  readonly container?: string | undefined;
  readonly host?: string | undefined;
  readonly status?: OperationStatus | undefined;
}

/** Lists operations, newest first. */
export async function listOperations(
  database: Database,
  filters: OperationFilters,
): Promise<OperationRecord[]> {
  const { container, host, status, limit } = filters;
  const rows = await selectOperations(database)
    .where(
      and(
        container === undefined ? undefined : concernsContainer(operations, container),
        host === undefined ? undefined : hostIs(host),
        status && eq(operations.status, status),
      ),
    )
    .orderBy(desc(operations.createdAt), desc(operations.id))
    .limit(limit);
  return rows.map(toRecord);
}

/** @throws PodfleetError OPERATION_NOT_FOUND */
export async function getOperation(database: Database, id: OperationId): Promise<OperationRecord> {
  const [row] = await selectOperations(database).where(eq(operations.id, id));
  if (!row) throw operationNotFound(id);
  return toRecord(row);
}

/** @throws PodfleetError OPERATION_NOT_FOUND */
export async function getOperationRow(database: Database, id: OperationId): Promise<OperationRow> {
  const [row] = await database.select().from(operations).where(eq(operations.id, id));
  if (!row) throw operationNotFound(id);
  return row;
}

function operationNotFound(id: OperationId): PodfleetError {
  return new PodfleetError("OPERATION_NOT_FOUND", `Cannot find operation "${id}"`, {
    details: { operationId: id },
  });
}

/** SQL condition: the record is about the container with this name, id or id prefix, which may be removed. */
export function concernsContainer(
  {
    containerId,
    containerName,
  }: Pick<typeof operations | typeof events, "containerId" | "containerName">,
  reference: string,
) {
  return or(eq(containerName, reference), like(containerId, `${escapeLike(reference)}%`));
}

function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, String.raw`\$&`);
}

function selectOperations(database: Database) {
  const { id, verb, status, containerId, containerName, caller, traceId } = operations;
  return database
    .select({
      ...{ id, verb, status, containerId, containerName, caller, traceId },
      outcome: operations.outcome,
      createdAt: operations.createdAt,
      finishedAt: operations.finishedAt,
      host: { id: hosts.id, name: hosts.name },
    })
    .from(operations)
    .leftJoin(hosts, eq(hosts.id, operations.hostId));
}

function toRecord(row: Awaited<ReturnType<typeof selectOperations>>[number]): OperationRecord {
  const { id, verb, status, containerId, containerName, caller, traceId, outcome, host } = row;
  return {
    id,
    verb,
    status,
    ...(containerId === null ? {} : { container: { id: containerId, name: containerName ?? "" } }),
    ...(host ? { host } : {}),
    caller,
    ...(traceId === null ? {} : { traceId }),
    ...(outcome?.status === "failed" ? { error: outcome.error } : {}),
    createdAt: row.createdAt.toISOString(),
    ...(row.finishedAt ? { finishedAt: row.finishedAt.toISOString() } : {}),
  };
}
