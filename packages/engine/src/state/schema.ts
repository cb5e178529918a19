/** The tables of an engine's store. `packages/engine/migrations` makes them. */
import type { HealthLog } from "@podfleet/model/container/healthcheck";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import type { AgentEvent } from "@podfleet/model/event";
import type { ExecSession } from "@podfleet/model/exec";
import type { ContainerId, ExecId, OperationId, SessionId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";
import type { Session } from "@podfleet/model/session";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

import type { ContainerProcesses } from "./container-record.ts";
import type { ExecProcesses } from "./exec-record.ts";
import type { OperationProgress } from "./operation-progress.ts";
import type { CommandEnd } from "./session-record.ts";

export const containers = sqliteTable("containers", {
  id: text().$type<ContainerId>().primaryKey(),
  name: text().notNull().unique(),
  spec: text({ mode: "json" }).$type<ContainerSpec>().notNull(),
  snapshot: text({ mode: "json" }).$type<ContainerSnapshot>().notNull(),
  processes: text({ mode: "json" }).$type<ContainerProcesses>().notNull(),
  healthLog: text("health_log", { mode: "json" }).$type<HealthLog>(),
});

/** The last snapshot of each container that was removed, kept for those who still wait for its exit. */
export const removedContainers = sqliteTable(
  "removed_containers",
  {
    id: text().$type<ContainerId>().primaryKey(),
    snapshot: text({ mode: "json" }).$type<ContainerSnapshot>().notNull(),
    removedAtMs: integer("removed_at_ms").notNull(),
  },
  (table) => [index("removed_containers_by_time").on(table.removedAtMs)],
);

/** How the last runs of each container ended, so that a waiter learns the exit of its own run after the next has begun. */
export const exits = sqliteTable(
  "exits",
  {
    containerId: text("container_id").$type<ContainerId>().notNull(),
    run: integer().notNull(),
    /** Null when it is unknown. */
    exitCode: integer("exit_code"),
    /** Offset in the journal after the run's last output; null for runs of before this was noted. */
    outputEnd: integer("output_end"),
  },
  (table) => [primaryKey({ columns: [table.containerId, table.run] })],
);

/** Exec sessions: those that run, and those that ended not long ago. */
export const execSessions = sqliteTable("exec_sessions", {
  id: text().$type<ExecId>().primaryKey(),
  session: text({ mode: "json" }).$type<ExecSession>().notNull(),
  processes: text({ mode: "json" }).$type<ExecProcesses>().notNull(),
});

/** Sessions: those that may be resumed, and those that ended not long ago. */
export const sessions = sqliteTable("sessions", {
  id: text().$type<SessionId>().primaryKey(),
  session: text({ mode: "json" }).$type<Session>().notNull(),
  /** Null while the command may still run. */
  commandEnd: text("command_end", { mode: "json" }).$type<CommandEnd>(),
});

/** The journals of which only the end is kept; all others are kept whole. */
export const journals = sqliteTable("journals", {
  /** Id of the container or exec session. */
  id: text().primaryKey(),
  /** Offset of the first record that is kept. */
  keptFrom: integer("kept_from").notNull(),
});

export const operationStatuses = ["running", "finished", "refused"] as const;

/**
 * The records of operations.
 *
 * running   the operation has no outcome yet
 * finished  `outcome` is on record
 * refused   its outcome was asked for before the operation arrived: it never takes effect
 */
export const operations = sqliteTable(
  "operations",
  {
    id: text().$type<OperationId>().primaryKey(),
    status: text({ enum: operationStatuses }).notNull(),
    /** Null when refused: what it was is not known. */
    action: text({ mode: "json" }).$type<unknown>(),
    actionHash: text("action_hash"),
    outcome: text({ mode: "json" }).$type<OperationOutcome>(),
    startedAtMs: integer("started_at_ms").notNull(),
    finishedAtMs: integer("finished_at_ms"),
    /** What one without an outcome has done; null when that need not be known to carry it on. */
    progress: text({ mode: "json" }).$type<OperationProgress>(),
  },
  (table) => [index("operations_by_end").on(table.finishedAtMs)],
);

/** The outbox. `seq` has no gaps and is never given twice, also not after its rows were delivered and dropped. */
export const events = sqliteTable("events", {
  seq: integer().primaryKey({ autoIncrement: true }),
  event: text({ mode: "json" }).$type<AgentEvent>().notNull(),
});

export const meta = sqliteTable("meta", {
  key: text().$type<"bootId">().primaryKey(),
  value: text().notNull(),
});
