/**
 * The tables of the fleet's records. The control plane writes specs, placements and operations; a container's `snapshot`, `state` and
 * `revision` are a projection of what its agent has committed. All times except an event's are of the database's clock, so replicas
 * agree on them.
 */
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import { containerStates } from "@podfleet/model/container/state";
import type { AgentEvent } from "@podfleet/model/event";
import { eventTypes } from "@podfleet/model/event-type";
import type { ExecSpec } from "@podfleet/model/exec";
import type { HostInfo } from "@podfleet/model/host";
import type { ContainerId, ExecId, HostId, ImageId, OperationId } from "@podfleet/model/ids";
import type { Labels } from "@podfleet/model/name";
import { type OperationOutcome, operationStatuses } from "@podfleet/model/operation";
import type { SpanRecord } from "@podfleet/model/span";
import { verbNames } from "@podfleet/model/verb/verbs";
import { isNull, sql } from "drizzle-orm";
import {
  bigint,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

const time = { withTimezone: true, precision: 3, mode: "date" } as const;
const count = { mode: "number" } as const;

const bytes = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });

/** Column: the host of a record. */
function hostId() {
  return text("host_id")
    .$type<HostId>()
    .notNull()
    .references(() => hosts.id);
}

/** Column: the operation of a record, which is deleted with it. */
function operationId() {
  return uuid("operation_id")
    .$type<OperationId>()
    .notNull()
    .references(() => operations.id, { onDelete: "cascade" });
}

/** Facts about a host that have no column of their own. */
export type HostFacts = Omit<HostInfo, "id" | "name" | "labels" | "capacity">;

export const hosts = pgTable("hosts", {
  id: text().$type<HostId>().primaryKey(),
  name: text().notNull().unique("hosts_name_unique"),
  labels: jsonb().$type<Labels>().notNull(),
  cpuMillis: integer("cpu_millis").notNull(),
  memoryBytes: bigint("memory_bytes", count).notNull(),
  facts: jsonb().$type<HostFacts>().notNull(),
  /** Grows with each hello: of two requests with one between them, the first may have been lost with the agent. */
  helloCount: integer("sessions").notNull().default(1),
  /** Sequence number of the last stored event; null until the first batch, which may begin anywhere. */
  committedSeq: bigint("committed_seq", count),
  lastSeenAt: timestamp("last_seen_at", time).notNull().defaultNow(),
  createdAt: timestamp("created_at", time).notNull().defaultNow(),
});

export const hostImages = pgTable(
  "host_images",
  {
    hostId: hostId(),
    imageId: text("image_id").$type<ImageId>().notNull(),
    names: text().array().notNull(),
    sizeBytes: bigint("size_bytes", count).notNull(),
    layers: integer().notNull(),
    createdAt: timestamp("created_at", time),
  },
  (table) => [primaryKey({ columns: [table.hostId, table.imageId] })],
);

/** Containers. The row of a removed one is kept for a while: its last snapshot answers callers that still wait for it. */
export const containers = pgTable(
  "containers",
  {
    id: text().$type<ContainerId>().primaryKey(),
    name: text().notNull(),
    hostId: hostId(),
    spec: jsonb().$type<ContainerSpec>().notNull(),
    /** Generated columns for the parts of the spec that lists show, so that a list need not read whole specs. */
    image: text()
      .notNull()
      .generatedAlwaysAs(sql`spec->>'image'`),
    command: jsonb()
      .$type<string[]>()
      .notNull()
      .generatedAlwaysAs(
        sql`coalesce(spec->'entrypoint', '[]'::jsonb) || coalesce(spec->'command', '[]'::jsonb)`,
      ),
    labels: jsonb()
      .$type<Labels>()
      .notNull()
      .generatedAlwaysAs(sql`spec->'labels'`),
    /** Reserved on the host until the container is removed. */
    cpuMillis: integer("cpu_millis").notNull(),
    memoryBytes: bigint("memory_bytes", count).notNull(),
    state: text({ enum: containerStates }).notNull().default("unknown"),
    /** The snapshot's revision; 0 before the agent has reported the container. */
    revision: integer().notNull().default(0),
    snapshot: jsonb().$type<ContainerSnapshot>(),
    createdAt: timestamp("created_at", time).notNull().defaultNow(),
    removedAt: timestamp("removed_at", time),
  },
  (table) => [
    uniqueIndex("containers_name_unique").on(table.name).where(isNull(table.removedAt)),
    index("containers_id_prefix").on(table.id.op("text_pattern_ops")),
    index("containers_host").on(table.hostId),
    index("containers_removed_at").on(table.removedAt),
  ],
);

export const operations = pgTable(
  "operations",
  {
    id: uuid().$type<OperationId>().primaryKey(),
    verb: text({ enum: verbNames }).notNull(),
    /** The caller's input; the same id with another request is a conflict. */
    request: jsonb().$type<Readonly<Record<string, unknown>>>().notNull(),
    status: text({ enum: operationStatuses }).notNull(),
    containerId: text("container_id").$type<ContainerId>(),
    containerName: text("container_name"),
    /** Null for an operation on several hosts; those are in `operation_hosts`. */
    hostId: text("host_id")
      .$type<HostId>()
      .references(() => hosts.id),
    caller: text().notNull(),
    traceId: text("trace_id"),
    outcome: jsonb().$type<OperationOutcome>(),
    /** Number of drivers so far. An operation that was never sent can be failed without asking the host. */
    attempts: integer().notNull().default(1),
    /** End of its driver's lease; the driver records the outcome. */
    drivenUntil: timestamp("driven_until", time),
    createdAt: timestamp("created_at", time).notNull().defaultNow(),
    finishedAt: timestamp("finished_at", time),
  },
  (table) => [
    index("operations_created_at").on(table.createdAt.desc(), table.id.desc()),
    index("operations_container").on(table.containerId),
    index("operations_unfinished").on(table.drivenUntil).where(isNull(table.finishedAt)),
    index("operations_exec")
      .on(sql`(request->>'execId')`)
      .where(sql`verb = 'exec.start'`),
  ],
);

/** Exec sessions that are created first and started later; the host learns of them when they are started. */
export const createdExecs = pgTable(
  "created_execs",
  {
    id: text().$type<ExecId>().primaryKey(),
    containerId: text("container_id").$type<ContainerId>().notNull(),
    spec: jsonb().$type<ExecSpec>().notNull(),
    /** The one operation that starts it; null before. */
    startedBy: uuid("started_by").$type<OperationId>(),
    createdAt: timestamp("created_at", time).notNull().defaultNow(),
  },
  (table) => [index("created_execs_created_at").on(table.createdAt)],
);

/**
 * Claims: names and increases of reservations that an operation under way may need for its container, and that no other operation gets
 * meanwhile. They are deleted when the operation ends; the container's own record then has its name and reservation.
 */
export const claims = pgTable(
  "claims",
  {
    operationId: operationId(),
    hostId: hostId(),
    /** The container's name-to-be. */
    name: text().unique("claims_name_unique"),
    cpuMillis: integer("cpu_millis").notNull().default(0),
    memoryBytes: bigint("memory_bytes", count).notNull().default(0),
  },
  (table) => [
    index("claims_operation").on(table.operationId),
    index("claims_host").on(table.hostId),
  ],
);

/** The hosts of an operation on several hosts, with the outcome on each. */
export const operationHosts = pgTable(
  "operation_hosts",
  {
    operationId: operationId(),
    hostId: hostId(),
    outcome: jsonb().$type<OperationOutcome>(),
  },
  (table) => [primaryKey({ columns: [table.operationId, table.hostId] })],
);

/** The events of all hosts. Positions commit in order, so a reader that resumes after one that it has seen misses none. */
export const events = pgTable(
  "events",
  {
    position: bigint(count).generatedAlwaysAsIdentity().primaryKey(),
    hostId: hostId(),
    seq: bigint(count).notNull(),
    type: text({ enum: eventTypes }).notNull(),
    /** The host's clock. */
    time: timestamp(time).notNull(),
    containerId: text("container_id").$type<ContainerId>(),
    containerName: text("container_name"),
    operationId: uuid("operation_id").$type<OperationId>(),
    attributes: jsonb().$type<AgentEvent["attributes"]>().notNull(),
  },
  (table) => [
    unique("events_host_seq_unique").on(table.hostId, table.seq),
    index("events_container").on(table.containerId, table.position),
    index("events_time").on(table.time),
  ],
);

/** API tokens of callers, as hashes; the tokens themselves are not stored. */
export const apiTokens = pgTable("api_tokens", {
  id: text().primaryKey(),
  name: text().notNull(),
  sha256: bytes().notNull(),
  createdAt: timestamp("created_at", time).notNull().defaultNow(),
});

/** Recent spans of all processes, bounded in number and age. */
export const spans = pgTable(
  "spans",
  {
    number: bigint(count).generatedAlwaysAsIdentity().primaryKey(),
    traceId: text("trace_id").notNull(),
    spanId: text("span_id").notNull(),
    record: jsonb().$type<SpanRecord>().notNull(),
    receivedAt: timestamp("received_at", time).notNull().defaultNow(),
  },
  (table) => [
    unique("spans_trace_span_unique").on(table.traceId, table.spanId),
    index("spans_received_at").using("brin", table.receivedAt),
  ],
);
