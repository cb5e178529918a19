/** Queries for exec sessions that are created first and started later. */
import type { ExecSpec, TerminalSize } from "@podfleet/model/exec";
import type { ContainerId, ExecId, OperationId } from "@podfleet/model/ids";
import { and, eq, isNull, or, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { createdExecs, operations } from "./schema.ts";

export type CreatedExecRow = typeof createdExecs.$inferSelect;

/** @returns the new row, or the one that has the id already */
export async function ensureCreatedExec(
  database: Database,
  exec: { readonly id: ExecId; readonly containerId: ContainerId; readonly spec: ExecSpec },
): Promise<CreatedExecRow> {
  const [inserted] = await database
    .insert(createdExecs)
    .values(exec)
    .onConflictDoNothing({ target: createdExecs.id })
    .returning();
  const row = inserted ?? (await findCreatedExec(database, exec.id));
  if (!row) throw new Error(`Exec session "${exec.id}" was there and is not`);
  return row;
}

export async function findCreatedExec(
  database: Database,
  id: ExecId,
): Promise<CreatedExecRow | undefined> {
  const [row] = await database.select().from(createdExecs).where(eq(createdExecs.id, id));
  return row;
}

/**
 * Makes `operation` the one that starts the session. The same operation may claim the session again.
 * @returns undefined when there is no such session, or another operation has claimed it
 */
export async function claimCreatedExec(
  database: Database,
  { id, operation }: { readonly id: ExecId; readonly operation: OperationId },
): Promise<CreatedExecRow | undefined> {
  const [row] = await database
    .update(createdExecs)
    .set({ startedBy: operation })
    .where(
      and(
        eq(createdExecs.id, id),
        or(isNull(createdExecs.startedBy), eq(createdExecs.startedBy, operation)),
      ),
    )
    .returning();
  return row;
}

/** @returns false when there is no such session, or it has been started */
export async function resizeCreatedExec(
  database: Database,
  { id, size }: { readonly id: ExecId; readonly size: TerminalSize },
): Promise<boolean> {
  const resized = await database
    .update(createdExecs)
    .set({ spec: sql`${createdExecs.spec} || ${JSON.stringify({ terminalSize: size })}::jsonb` })
    .where(and(eq(createdExecs.id, id), isNull(createdExecs.startedBy)))
    .returning({ id: createdExecs.id });
  return resized.length > 0;
}

/** The container of a session that has been started, however the session was created. */
export async function findContainerOfExec(
  database: Database,
  id: ExecId,
): Promise<ContainerId | undefined> {
  const [row] = await database
    .select({ containerId: operations.containerId })
    .from(operations)
    .where(and(eq(operations.verb, "exec.start"), sql`${operations.request}->>'execId' = ${id}`));
  return row?.containerId ?? undefined;
}
