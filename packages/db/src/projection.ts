/**
 * The projection: applies agents' reports to the fleet's records. Events and replies go through the same functions, in any order and
 * any number of times: a snapshot is applied only when its revision is higher than the recorded one, an outcome only while the
 * operation has none. An agent changes records of its own host only.
 *
 * Rows are locked in one order: the host, containers, operations, and last the lock of event positions.
 */
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { AgentEvent } from "@podfleet/model/event";
import type { ContainerId, HostId, OperationId } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import type { OperationOutcome } from "@podfleet/model/operation";
import { reservationOf } from "@podfleet/model/resources";
import { type Verb, verbs } from "@podfleet/model/verb/verbs";
import { and, eq, inArray, isNull, or, type SQL, sql } from "drizzle-orm";

import { lockStatement } from "./advisory-lock.ts";
import { eventChannel } from "./change-feed.ts";
import type { Database } from "./database.ts";
import { addImages } from "./images.ts";
import { containers, hosts, operationHosts, operations } from "./schema.ts";

export interface SettledOperation {
  readonly id: OperationId;
  readonly outcome: OperationOutcome;
}

/**
 * Appends a host's events to the log and applies them. Events that are stored already are ignored. A batch that would leave a gap is
 * not stored: the agent goes on after the returned number.
 * @returns sequence number of the host's last stored event; undefined when the host is not registered
 */
export async function applyEvents(
  database: Database,
  hostId: HostId,
  batch: readonly AgentEvent[],
): Promise<number | undefined> {
  return await database.transaction(async (transaction) => {
    const [host] = await transaction
      .select({ committedSeq: hosts.committedSeq })
      .from(hosts)
      .where(eq(hosts.id, hostId))
      .for("no key update");
    if (!host) return undefined;
    const fresh = following(batch, host.committedSeq);
    const last = fresh.at(-1);
    if (!last) return host.committedSeq ?? 0;

    await apply(transaction, hostId, { settled: outcomesIn(fresh), batch: fresh });
    await appendEvents(transaction, hostId, fresh);
    return last.seq;
  });
}

/** Records the outcome of an operation on a host, with its container and images. May run within a transaction. */
export async function applyOutcome(
  database: Database,
  hostId: HostId,
  settled: SettledOperation,
): Promise<void> {
  await applySettled(database, hostId, { settled, toldAgain: false });
}

/**
 * Records an outcome from a reply. The commit does not wait for Postgres's disk, because the host's events report the same outcome
 * again until they are committed durably.
 */
export async function applyRepliedOutcome(
  database: Database,
  hostId: HostId,
  settled: SettledOperation,
): Promise<void> {
  await applySettled(database, hostId, { settled, toldAgain: true });
}

async function applySettled(
  database: Database,
  hostId: HostId,
  { settled, toldAgain }: { readonly settled: SettledOperation; readonly toldAgain: boolean },
): Promise<void> {
  const report = { settled: [settled], batch: [], toldAgain };
  if (!settled.outcome.container || mayFree(settled) || imagesIn(settled).length > 0) {
    await database.transaction(async (transaction) => await apply(transaction, hostId, report));
  } else {
    await record(database, hostId, report);
  }
}

/** Records a snapshot from a reply, unless a newer one is recorded. */
export async function applySnapshot(
  database: Database,
  hostId: HostId,
  snapshot: ContainerSnapshot,
): Promise<void> {
  await database.execute(updateContainers(hostId, [snapshot], { toldAgain: true }));
}

interface Report {
  readonly settled: readonly SettledOperation[];
  readonly batch: readonly AgentEvent[];
  /** The host's events report the same until it is on disk. */
  readonly toldAgain?: boolean;
}

async function apply(transaction: Database, hostId: HostId, report: Report): Promise<void> {
  const { settled, batch } = report;
  const removed = batch.flatMap(({ type, containerId }) =>
    type === "container.remove" && containerId !== undefined ? [containerId] : [],
  );
  await lockContainersOf(transaction, settled, removed);
  const finished = await record(transaction, hostId, report);
  await markRemoved(transaction, hostId, [...removed, ...finished.flatMap(containerFreedBy)]);
  const images = [
    ...batch.flatMap(({ image }) => (image ? [image] : [])),
    ...settled.flatMap(imagesIn),
  ];
  if (images.length > 0) await addImages(transaction, hostId, images);
  const ids = new Set(finished.map(({ id }) => id));
  await finishOnHost(
    transaction,
    hostId,
    settled.filter(({ id }) => !ids.has(id)),
  );
}

function imagesIn({ outcome }: SettledOperation): readonly Image[] {
  return outcome.status === "succeeded" ? (outcome.images ?? []) : [];
}

/** Whether the operation may have removed its container: the last state that a host reports of a removed one is "removing". */
function mayFree({ outcome: { container } }: SettledOperation): boolean {
  return container === undefined || container.state === "removing";
}

/** Locks the containers that may be freed, because rows of containers are locked before those of operations. */
async function lockContainersOf(
  transaction: Database,
  settled: readonly SettledOperation[],
  removed: readonly ContainerId[],
): Promise<void> {
  const freeing = settled.filter(mayFree);
  if (freeing.length === 0 && removed.length === 0) return;
  const ids = freeing.map(({ id }) => id);
  const concerned = transaction
    .select({ id: operations.containerId })
    .from(operations)
    .where(inArray(operations.id, ids));
  await transaction
    .select({ id: containers.id })
    .from(containers)
    .where(or(inArray(containers.id, concerned), inArray(containers.id, [...removed])))
    .orderBy(containers.id)
    .for("no key update");
}

/** The events of the batch after `committedSeq`; none when they leave a gap. A host's first batch may begin anywhere. */
function following(batch: readonly AgentEvent[], committedSeq: number | null): AgentEvent[] {
  const fresh = batch
    .filter(({ seq }) => seq > (committedSeq ?? 0))
    .toSorted((a, b) => a.seq - b.seq);
  const start = committedSeq ?? (fresh[0]?.seq ?? 1) - 1;
  return fresh.every(({ seq }, index) => seq === start + 1 + index) ? fresh : [];
}

function outcomesIn(batch: readonly AgentEvent[]): SettledOperation[] {
  return batch.flatMap(({ operation }) =>
    operation?.outcome ? [{ id: operation.id, outcome: operation.outcome }] : [],
  );
}

interface FinishedOperation extends SettledOperation {
  readonly verb: Verb;
  readonly containerId: ContainerId | null;
}

/**
 * Records, in one statement, containers' newest snapshots and the outcomes of operations on this host alone, and drops the claims of
 * those operations: the container's own record has the claimed name and reservation by then.
 * @returns the operations that had no outcome yet
 */
async function record(
  database: Database,
  hostId: HostId,
  { settled, batch, toldAgain = false }: Report,
): Promise<FinishedOperation[]> {
  const snapshots = newestOf([
    ...batch.map(({ container }) => container),
    ...settled.map(({ outcome }) => outcome.container),
  ]);
  if (settled.length === 0 && snapshots.length === 0) return [];
  const { rows } = await database.execute<RecordedOperation>(sql`
    /* record_report */
    with updated as (${updateContainers(hostId, snapshots, { toldAgain })} returning 1),
    finished as (
      update operations
      set status = settled.outcome->>'status', outcome = settled.outcome, finished_at = clock_timestamp()
      from jsonb_to_recordset(${JSON.stringify(settled)}::jsonb) as settled(id uuid, outcome jsonb)
      where operations.id = settled.id
        and operations.host_id = ${hostId}
        and operations.finished_at is null
        -- Rows of containers are locked first.
        and (select count(*) from updated) >= 0
        ${toldAgain ? withoutWaitForDisk : sql``}
      returning operations.id, operations.verb, operations.container_id as "containerId"),
    dropped as (
      delete from claims using finished
      where claims.operation_id = finished.id)
    select * from finished`);
  const outcomes = new Map(settled.map(({ id, outcome }) => [id, outcome]));
  return rows.flatMap((row) => {
    const outcome = outcomes.get(row.id);
    return outcome ? [{ ...row, outcome }] : [];
  });
}

interface RecordedOperation extends Record<string, unknown> {
  readonly id: OperationId;
  readonly verb: Verb;
  readonly containerId: ContainerId | null;
}

function newestOf(snapshots: readonly (ContainerSnapshot | undefined)[]): ContainerSnapshot[] {
  const newest = new Map<ContainerId, ContainerSnapshot>();
  for (const snapshot of snapshots) {
    if (!snapshot) continue;
    const known = newest.get(snapshot.id);
    if (!known || known.revision < snapshot.revision) newest.set(snapshot.id, snapshot);
  }
  return [...newest.values()];
}

function updateContainers(
  hostId: HostId,
  snapshots: readonly ContainerSnapshot[],
  { toldAgain }: { readonly toldAgain: boolean },
): SQL {
  const rows = snapshots.map((snapshot) => ({
    id: snapshot.id,
    revision: snapshot.revision,
    name: snapshot.name,
    state: snapshot.state,
    changes: snapshot.specChanges,
    ...(snapshot.specChanges?.resources && reservationOf(snapshot.specChanges.resources)),
    snapshot,
  }));
  return sql`
    update containers
    set revision = reported.revision, state = reported.state, snapshot = reported.snapshot,
      name = reported.name,
      spec = case when reported.changes is null and containers.name = reported.name then spec
        else spec || coalesce(reported.changes, '{}') || jsonb_build_object('name', reported.name) end,
      cpu_millis = coalesce(reported."cpuMillis", cpu_millis),
      memory_bytes = coalesce(reported."memoryBytes", memory_bytes)
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as reported(id text, revision integer, name text, state text, changes jsonb,
        "cpuMillis" integer, "memoryBytes" bigint, snapshot jsonb)
    where containers.id = reported.id
      and containers.host_id = ${hostId}
      and containers.revision < reported.revision
      ${toldAgain ? withoutWaitForDisk : sql``}`;
}

/** SQL condition, always true, that makes the transaction commit asynchronously. A crash of Postgres may lose it, but only as a whole. */
const withoutWaitForDisk = sql`and (select set_config('synchronous_commit', 'off', true)) = 'off'`;

/** Frees the names and reservations of containers. */
async function markRemoved(
  transaction: Database,
  hostId: HostId,
  ids: readonly ContainerId[],
): Promise<void> {
  if (ids.length === 0) return;
  await transaction
    .update(containers)
    .set({ removedAt: sql`clock_timestamp()` })
    .where(
      and(
        inArray(containers.id, [...ids]),
        eq(containers.hostId, hostId),
        isNull(containers.removedAt),
      ),
    );
}

/** The container that no longer exists after the operation: it was removed, or its creation failed. */
function containerFreedBy({ verb, containerId, outcome }: FinishedOperation): ContainerId[] {
  const isGone =
    outcome.status === "succeeded"
      ? verb === "container.remove"
      : verbs[verb].on === "new-container" && outcome.container === undefined;
  return isGone && containerId !== null ? [containerId] : [];
}

/** Records a host's outcome of operations on several hosts; the last one finishes the operation. */
async function finishOnHost(
  transaction: Database,
  hostId: HostId,
  settled: readonly SettledOperation[],
): Promise<void> {
  for (const { id, outcome } of settled) {
    // The lock lets the last of two hosts that finish at once see the other's part.
    const [row] = await transaction
      .select({ id: operations.id })
      .from(operations)
      .where(and(eq(operations.id, id), isNull(operations.hostId), isNull(operations.finishedAt)))
      .for("update");
    if (!row) continue;
    await transaction
      .update(operationHosts)
      .set({ outcome })
      .where(
        and(
          eq(operationHosts.operationId, id),
          eq(operationHosts.hostId, hostId),
          isNull(operationHosts.outcome),
        ),
      );
    await finishWhenComplete(transaction, id);
  }
}

async function finishWhenComplete(transaction: Database, id: OperationId): Promise<void> {
  const parts = await transaction
    .select({ outcome: operationHosts.outcome })
    .from(operationHosts)
    .where(eq(operationHosts.operationId, id));
  const outcomes = parts.flatMap(({ outcome }) => (outcome ? [outcome] : []));
  const outcome = outcomes.find(({ status }) => status === "succeeded") ?? outcomes[0];
  if (!outcome || outcomes.length < parts.length) return;
  await transaction
    .update(operations)
    .set({ status: outcome.status, outcome, finishedAt: sql`clock_timestamp()` })
    .where(eq(operations.id, id));
}

/** Stores events and assigns their positions. */
async function appendEvents(
  transaction: Database,
  hostId: HostId,
  batch: readonly AgentEvent[],
): Promise<void> {
  const rows = batch.map(({ seq, type, time, containerId, container, operation, attributes }) => ({
    ...{ seq, type, time, attributes },
    containerId: containerId ?? container?.id,
    containerName: container?.name,
    operationId: operation?.id,
  }));
  const append = sql`
    /* append_events */
    with advanced as (
      update hosts set committed_seq = ${batch.at(-1)?.seq}, last_seen_at = clock_timestamp()
      where id = ${hostId}),
    appended as (
      insert into events
        (host_id, seq, type, time, container_id, container_name, operation_id, attributes)
      select ${hostId}, event.seq, event.type, event.time, event."containerId",
        coalesce(event."containerName", containers.name), event."operationId", event.attributes
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as event(seq bigint, type text, time timestamptz, "containerId" text, "containerName" text,
          "operationId" uuid, attributes jsonb)
      left join containers on containers.id = event."containerId"
      order by event.seq)
    select pg_notify(${eventChannel}, '')`;
  await Promise.all([
    transaction.execute(lockStatement("eventPositions")),
    transaction.execute(append),
  ]);
}
