import { healthLogSchema } from "@podfleet/model/container/healthcheck";
import { containerSnapshotSchema } from "@podfleet/model/container/snapshot";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { containerSpecSchema } from "@podfleet/model/container/spec";
import type { ContainerId } from "@podfleet/model/ids";
import { and, eq, lt, lte, sql } from "drizzle-orm";

import { type ContainerRecord, containerProcessesSchema } from "./container-record.ts";
import type { Database } from "./database.ts";
import { containers, exits, removedContainers } from "./schema.ts";

/** How many ended runs of a container are remembered. */
const exitsKept = 16;

export interface RunEnd {
  /** Null when it was lost. */
  readonly exitCode: number | null;
  /** Offset in the journal after the run's last output; null when it was not noted. */
  readonly outputEnd: number | null;
}

/** The rows behind the containers. Writing methods act within the caller's transaction. */
export class ContainerTable {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database) {
    this.#statements = prepare(database);
  }

  load(): ContainerRecord[] {
    return this.#statements.all.all().map((row) => ({
      spec: containerSpecSchema.parse(row.spec),
      snapshot: containerSnapshotSchema.parse(row.snapshot),
      processes: containerProcessesSchema.parse(row.processes),
      healthLog: healthLogSchema.optional().parse(row.healthLog ?? undefined),
    }));
  }

  save({ spec, snapshot, processes, healthLog }: ContainerRecord): void {
    const { id, name } = snapshot;
    this.#statements.save.run({
      id,
      name,
      spec,
      snapshot,
      processes,
      healthLog: healthLog ?? null,
    });
  }

  /** Deletes the container's row and keeps its last snapshot aside. */
  remove(snapshot: ContainerSnapshot, removedAtMs: number): void {
    const { id } = snapshot;
    this.#statements.remove.run({ id });
    this.#statements.saveRemoved.run({ id, snapshot, removedAtMs });
  }

  findRemoved(id: ContainerId): ContainerSnapshot | undefined {
    return this.#statements.findRemoved.get({ id })?.snapshot;
  }

  /** Containers removed before `beforeMs`. */
  removedBefore(beforeMs: number): ContainerId[] {
    return this.#statements.removedBefore.all({ beforeMs }).map(({ id }) => id);
  }

  forgetRemoved(id: ContainerId): void {
    this.#statements.forgetRemoved.run({ id });
    this.#statements.forgetExits.run({ containerId: id });
  }

  saveExit(containerId: ContainerId, run: number, { exitCode, outputEnd }: RunEnd): void {
    this.#statements.saveExit.run({ containerId, run, exitCode, outputEnd });
    this.#statements.dropExits.run({ containerId, run: run - exitsKept });
  }

  /** How `run` ended; undefined when it has not, or is no longer remembered. */
  findExit(containerId: ContainerId, run: number): RunEnd | undefined {
    return this.#statements.findExit.get({ containerId, run });
  }
}

function prepare({ orm }: Database) {
  const id = sql.placeholder("id");
  const containerId = sql.placeholder("containerId");
  return {
    all: orm.select().from(containers).prepare(),
    save: orm
      .insert(containers)
      .values({
        id,
        name: sql.placeholder("name"),
        spec: sql.placeholder("spec"),
        snapshot: sql.placeholder("snapshot"),
        processes: sql.placeholder("processes"),
        healthLog: sql.placeholder("healthLog"),
      })
      .onConflictDoUpdate({
        target: containers.id,
        set: {
          name: sql`excluded.name`,
          spec: sql`excluded.spec`,
          snapshot: sql`excluded.snapshot`,
          processes: sql`excluded.processes`,
          healthLog: sql`excluded.health_log`,
        },
      })
      .prepare(),
    remove: orm.delete(containers).where(eq(containers.id, id)).prepare(),
    saveRemoved: orm
      .insert(removedContainers)
      .values({
        id,
        snapshot: sql.placeholder("snapshot"),
        removedAtMs: sql.placeholder("removedAtMs"),
      })
      .prepare(),
    findRemoved: orm.select().from(removedContainers).where(eq(removedContainers.id, id)).prepare(),
    removedBefore: orm
      .select({ id: removedContainers.id })
      .from(removedContainers)
      .where(lt(removedContainers.removedAtMs, sql.placeholder("beforeMs")))
      .prepare(),
    forgetRemoved: orm.delete(removedContainers).where(eq(removedContainers.id, id)).prepare(),
    forgetExits: orm.delete(exits).where(eq(exits.containerId, containerId)).prepare(),
    saveExit: orm
      .insert(exits)
      .values({
        containerId,
        run: sql.placeholder("run"),
        exitCode: sql.placeholder("exitCode"),
        outputEnd: sql.placeholder("outputEnd"),
      })
      .prepare(),
    dropExits: orm
      .delete(exits)
      .where(and(eq(exits.containerId, containerId), lte(exits.run, sql.placeholder("run"))))
      .prepare(),
    findExit: orm
      .select({ exitCode: exits.exitCode, outputEnd: exits.outputEnd })
      .from(exits)
      .where(and(eq(exits.containerId, containerId), eq(exits.run, sql.placeholder("run"))))
      .prepare(),
  };
}
