/**
 * What agents say, made into the fleet's records. Events and replies to requests go through the same functions, in any
 * order and as often as they like: a snapshot counts only when its revision is higher than the one recorded, an outcome
 * only while the operation has none. An agent changes records of its own host alone.
 *
 * Rows are locked in one order: the host, containers, operations, and last the lock of event positions.
 */
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { AgentEvent } from "@podfleet/model/event";
import type { ContainerId, HostId, OperationId } from "@podfleet/model/ids";
import type { OperationOutcome, OperationVerb } from "@podfleet/model/operation";
import { reservationOf } from "@podfleet/model/resources";
import { and, eq, inArray, isNull, type SQL, sql } from "drizzle-orm";

import { lockInTransaction } from "./advisory-lock.ts";
import { eventChannel } from "./change-feed.ts";
import type { Database } from "./database.ts";
import { addImages } from "./images.ts";
import { claims, containers, events, hosts, operationHosts, operations } from "./schema.ts";

export interface SettledOperation {
  readonly id: OperationId;
  readonly outcome: OperationOutcome;
}

/**
 * Appends a host's events to the log and applies them. Those that are stored already are ignored.
 * @returns the last of the host's events that is stored. Less than the batch's first but one means a gap: nothing was
 *   stored, and the agent goes on from there. Undefined when the host is not registered
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
    await transaction
      .update(hosts)
      .set({ committedSeq: last.seq, lastSeenAt: sql`clock_timestamp()` })
      .where(eq(hosts.id, hostId));
    await appendEvents(transaction, hostId, fresh);
    return last.seq;
  });
}

/** Records the outcome of an operation on a host, and what it says of containers and images. Takes part in a transaction that is open. */
export async function applyOutcome(
  database: Database,
  hostId: HostId,
  settled: SettledOperation,
): Promise<void> {
  if (await applyPlainOutcome(database, hostId, settled)) return;
  await database.transaction(async (transaction) => {
    await apply(transaction, hostId, { settled: [settled], batch: [] });
  });
}

/**
 * Most outcomes in one round trip: those of an operation that was one host's alone and leaves its container in being.
 * @returns false when it was none of those, or had its outcome already: nothing was changed but the container's state
 */
async function applyPlainOutcome(
  database: Database,
  hostId: HostId,
  settled: SettledOperation,
): Promise<boolean> {
  const { container, status } = settled.outcome;
  const images = settled.outcome.status === "succeeded" ? settled.outcome.images : undefined;
  if (status !== "succeeded" || !container || container.state === "removing" || images) {
    return false;
  }
  // That the second counts the first's rows puts the locks in their order.
  const { rows } = await database.execute(sql`
    with reported as (${updateOfSnapshots(hostId, [container])} returning 1),
      finished as (
        ${updateOfOperations(hostId, [settled])}
          and ${operations.verb} <> ${removal} and (select count(*) from reported) >= 0
        returning ${operations.id}),
      dropped as (
        delete from ${claims} where ${claims.operationId} in (select id from finished))
    select id from finished`);
  return rows.length > 0;
}

/** Records a container's state that its agent gave in answer to a request, unless a newer one is on record. */
export async function applySnapshot(
  database: Database,
  hostId: HostId,
  snapshot: ContainerSnapshot,
): Promise<void> {
  await applySnapshots(database, hostId, [snapshot]);
}

interface Report {
  readonly settled: readonly SettledOperation[];
  readonly batch: readonly AgentEvent[];
}

async function apply(
  transaction: Database,
  hostId: HostId,
  { settled, batch }: Report,
): Promise<void> {
  await lockContainersOf(transaction, settled);
  const snapshots = [
    ...batch.map(({ container }) => container),
    ...settled.map(({ outcome }) => outcome.container),
  ];
  await applySnapshots(
    transaction,
    hostId,
    snapshots.filter((snapshot) => snapshot !== undefined),
  );
  const removed = batch.flatMap(({ type, containerId }) =>
    type === "container.remove" && containerId !== undefined ? [containerId] : [],
  );
  await markRemoved(transaction, hostId, removed);
  const images = [
    ...batch.flatMap(({ image }) => (image ? [image] : [])),
    ...settled.flatMap(({ outcome }) =>
      outcome.status === "succeeded" ? (outcome.images ?? []) : [],
    ),
  ];
  if (images.length > 0) await addImages(transaction, hostId, images);
  if (settled.length === 0) return;
  const finished = await finishOperations(transaction, hostId, settled);
  await markRemoved(transaction, hostId, finished.flatMap(containerFreedBy));
  await dropClaims(transaction, finished);
  const ids = new Set(finished.map(({ id }) => id));
  await finishOnHost(
    transaction,
    hostId,
    settled.filter(({ id }) => !ids.has(id)),
  );
}

/** The end of an operation may free its container, whose row has to be locked before the operation's is. */
async function lockContainersOf(
  transaction: Database,
  settled: readonly SettledOperation[],
): Promise<void> {
  const freeing = settled.filter(
    ({ outcome: { container } }) => container === undefined || container.state === "removing",
  );
  if (freeing.length === 0) return;
  const ids = freeing.map(({ id }) => id);
  const concerned = transaction
    .select({ id: operations.containerId })
    .from(operations)
    .where(inArray(operations.id, ids));
  await transaction
    .select({ id: containers.id })
    .from(containers)
    .where(inArray(containers.id, concerned))
    .orderBy(containers.id)
    .for("no key update");
}

/** The events that come right after `committedSeq`; none when the batch leaves a gap. A host's first batch may begin anywhere. */
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

async function applySnapshots(
  transaction: Database,
  hostId: HostId,
  snapshots: readonly ContainerSnapshot[],
): Promise<void> {
  const newest = new Map<ContainerId, ContainerSnapshot>();
  for (const snapshot of snapshots) {
    const known = newest.get(snapshot.id);
    if (!known || known.revision < snapshot.revision) newest.set(snapshot.id, snapshot);
  }
  if (newest.size > 0) await transaction.execute(updateOfSnapshots(hostId, [...newest.values()]));
}

/** @param snapshots at most one of a container */
function updateOfSnapshots(hostId: HostId, snapshots: readonly ContainerSnapshot[]): SQL {
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
    update ${containers}
    set revision = reported.revision, state = reported.state, snapshot = reported.snapshot,
      name = reported.name,
      spec = case when reported.changes is null and ${containers.name} = reported.name then spec
        else spec || coalesce(reported.changes, '{}') || jsonb_build_object('name', reported.name) end,
      cpu_millis = coalesce(reported."cpuMillis", cpu_millis),
      memory_bytes = coalesce(reported."memoryBytes", memory_bytes)
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as reported(id text, revision integer, name text, state text, changes jsonb,
        "cpuMillis" integer, "memoryBytes" bigint, snapshot jsonb)
    where ${containers.id} = reported.id
      and ${containers.hostId} = ${hostId}
      and ${containers.revision} < reported.revision`;
}

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

interface FinishedOperation extends SettledOperation, Record<string, unknown> {
  readonly verb: string;
  readonly containerId: ContainerId | null;
}

/** @returns those that were the host's alone and had no outcome yet */
async function finishOperations(
  transaction: Database,
  hostId: HostId,
  settled: readonly SettledOperation[],
): Promise<FinishedOperation[]> {
  const { rows } = await transaction.execute<FinishedOperation>(sql`
    ${updateOfOperations(hostId, settled)}
    returning ${operations.id}, ${operations.verb}, ${operations.containerId} as "containerId", ${operations.outcome}`);
  return rows;
}

function updateOfOperations(hostId: HostId, settled: readonly SettledOperation[]): SQL {
  return sql`
    update ${operations}
    set status = settled.outcome->>'status', outcome = settled.outcome, finished_at = clock_timestamp()
    from jsonb_to_recordset(${JSON.stringify(settled)}::jsonb) as settled(id uuid, outcome jsonb)
    where ${operations.id} = settled.id
      and ${operations.hostId} = ${hostId}
      and ${operations.finishedAt} is null`;
}

/** What came true of them is the container's by now. */
async function dropClaims(
  transaction: Database,
  finished: readonly FinishedOperation[],
): Promise<void> {
  const ids = finished.filter(({ verb }) => claimingVerbs.has(verb)).map(({ id }) => id);
  if (ids.length > 0) await transaction.delete(claims).where(inArray(claims.operationId, ids));
}

const claimingVerbs: ReadonlySet<string> = new Set<OperationVerb>([
  "container.rename",
  "container.update",
  "container.batch",
]);

const removal: OperationVerb = "container.remove";

/** The container that is gone with the operation: it was removed, or its creation failed. */
function containerFreedBy({ verb, containerId, outcome }: FinishedOperation): ContainerId[] {
  const isGone =
    outcome.status === "succeeded"
      ? verb === removal
      : makesContainer(verb) && outcome.container === undefined;
  return isGone && containerId !== null ? [containerId] : [];
}

function makesContainer(verb: string): boolean {
  return verb === "container.create" || verb === "container.import";
}

/** Records a host's part of operations that concern several; the last part finishes the operation. */
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

async function appendEvents(
  transaction: Database,
  hostId: HostId,
  batch: readonly AgentEvent[],
): Promise<void> {
  const names = await containerNames(transaction, batch);
  const rows = batch.map(({ seq, type, time, containerId, container, operation, attributes }) => ({
    hostId,
    seq,
    type,
    time: new Date(time),
    containerId: containerId ?? container?.id,
    containerName: container?.name ?? (containerId && names.get(containerId)),
    operationId: operation?.id,
    attributes,
  }));
  await lockInTransaction(transaction, "eventPositions");
  await transaction.insert(events).values(rows);
  await transaction.execute(sql`select pg_notify(${eventChannel}, '')`);
}

/** Names of the containers of events that do not carry them. */
async function containerNames(
  transaction: Database,
  batch: readonly AgentEvent[],
): Promise<Map<ContainerId, string>> {
  const ids = batch.flatMap(({ containerId, container }) =>
    containerId && !container ? [containerId] : [],
  );
  if (ids.length === 0) return new Map();
  const rows = await transaction
    .select({ id: containers.id, name: containers.name })
    .from(containers)
    .where(inArray(containers.id, ids));
  return new Map(rows.map(({ id, name }) => [id, name]));
}
