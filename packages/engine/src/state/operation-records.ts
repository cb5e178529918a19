/**
 * The records of the operations that this host was asked for, with their outcomes. A record is written before its operation acts; the
 * outcome is written in the transaction of the operation's last change. So after a crash, an operation without an outcome may have done
 * anything between nothing and all but its last change.
 */
import { invariant } from "@podfleet/base/invariant";
import { type Action, actionSchema } from "@podfleet/model/action";
import type { OperationId } from "@podfleet/model/ids";
import {
  type OperationOutcome,
  operationOutcomeSchema,
  type StepResult,
} from "@podfleet/model/operation";
import { and, asc, eq, lt, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { type OperationProgress, operationProgressSchema } from "./operation-progress.ts";
import { operations } from "./schema.ts";

export type OperationRecord =
  | { readonly status: "running"; readonly actionHash: string }
  | { readonly status: "finished"; readonly actionHash: string; readonly outcome: OperationOutcome }
  | { readonly status: "refused" };

export interface UnfinishedOperation {
  readonly id: OperationId;
  readonly action: Action;
}

export class OperationRecords {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database) {
    this.#statements = prepare(database);
  }

  find(id: OperationId): OperationRecord | undefined {
    const row = this.#statements.find.get({ id });
    if (row === undefined) return undefined;
    if (row.status === "refused") return { status: "refused" };
    const actionHash = row.actionHash ?? "";
    if (row.status === "running") return { status: "running", actionHash };
    return { status: "finished", actionHash, outcome: operationOutcomeSchema.parse(row.outcome) };
  }

  /** Records an operation before it acts. */
  begin(entry: { id: OperationId; action: Action; actionHash: string; startedAtMs: number }): void {
    this.#statements.begin.run(entry);
  }

  /** Writes the outcome within the caller's transaction. */
  finish(id: OperationId, outcome: OperationOutcome, finishedAtMs: number): void {
    const { changes } = this.#statements.finish.run({ id, outcome, finishedAtMs });
    invariant(changes === 1, `operation ${id} has no outcome yet`);
  }

  /** Returns the progress of an operation without an outcome. */
  progress(id: OperationId): OperationProgress {
    return operationProgressSchema.parse(this.#statements.progress.get({ id })?.progress ?? {});
  }

  /** Records progress, within the caller's transaction when there is one. */
  saveProgress(id: OperationId, progress: OperationProgress): void {
    this.#statements.saveProgress.run({ id, progress });
  }

  /** Records the result of the next step of a batch, in place of the progress of the step. */
  finishStep(id: OperationId, result: StepResult): void {
    this.#statements.finishStep.run({ id, result: JSON.stringify(result) });
  }

  /** Records that the operation must have no effect if it arrives later. */
  refuse(id: OperationId, nowMs: number): void {
    this.#statements.refuse.run({ id, nowMs });
  }

  /** Lists operations without an outcome, in the order in which they began. */
  unfinished(): UnfinishedOperation[] {
    return this.#statements.unfinished
      .all()
      .map(({ id, action }) => ({ id, action: actionSchema.parse(action) }));
  }

  /** Deletes the records of operations that ended before `beforeMs`. */
  prune(beforeMs: number): void {
    this.#statements.prune.run({ beforeMs });
  }
}

function prepare({ orm }: Database) {
  return {
    find: orm
      .select({
        status: operations.status,
        actionHash: operations.actionHash,
        outcome: operations.outcome,
      })
      .from(operations)
      .where(eq(operations.id, sql.placeholder("id")))
      .prepare(),
    begin: orm
      .insert(operations)
      .values({
        id: sql.placeholder("id"),
        status: "running",
        action: sql.placeholder("action"),
        actionHash: sql.placeholder("actionHash"),
        startedAtMs: sql.placeholder("startedAtMs"),
      })
      .prepare(),
    finish: orm
      .update(operations)
      .set({
        status: "finished",
        outcome: sql`${sql.param(sql.placeholder("outcome"), operations.outcome)}`,
        finishedAtMs: sql`${sql.placeholder("finishedAtMs")}`,
        progress: null,
      })
      .where(and(eq(operations.id, sql.placeholder("id")), eq(operations.status, "running")))
      .prepare(),
    ...prepareProgress(orm),
    refuse: orm
      .insert(operations)
      .values({
        id: sql.placeholder("id"),
        status: "refused",
        startedAtMs: sql.placeholder("nowMs"),
        finishedAtMs: sql.placeholder("nowMs"),
      })
      .prepare(),
    unfinished: orm
      .select({ id: operations.id, action: operations.action })
      .from(operations)
      .where(eq(operations.status, "running"))
      .orderBy(asc(operations.startedAtMs), asc(operations.id))
      .prepare(),
    prune: orm
      .delete(operations)
      .where(lt(operations.finishedAtMs, sql.placeholder("beforeMs")))
      .prepare(),
  };
}

function prepareProgress(orm: Database["orm"]) {
  return {
    progress: orm
      .select({ progress: operations.progress })
      .from(operations)
      .where(eq(operations.id, sql.placeholder("id")))
      .prepare(),
    saveProgress: orm
      .update(operations)
      .set({ progress: sql`${sql.param(sql.placeholder("progress"), operations.progress)}` })
      .where(eq(operations.id, sql.placeholder("id")))
      .prepare(),
    finishStep: orm
      .update(operations)
      .set({
        progress: sql`json_insert(
          json_remove(coalesce(${operations.progress}, '{"steps":[]}'), '$.restores'),
          '$.steps[#]', json(${sql.placeholder("result")}))`,
      })
      .where(eq(operations.id, sql.placeholder("id")))
      .prepare(),
  };
}
