/** Postgres advisory locks, one number each; replicas share them. */
import { type SQL, sql } from "drizzle-orm";

import type { Database } from "./database.ts";

const advisoryLocks = {
  /** Held by the replica that applies migrations. */
  migrations: 7_575_001,
  /** Held while a host is chosen and its reservation written, so that two replicas never take the same one. */
  placement: 7_575_002,
  /** Held from the assignment of an event's position to its commit, so that positions commit in order. */
  eventPositions: 7_575_003,
  /** Held by the replica that prunes. */
  pruning: 7_575_004,
} as const;
export type AdvisoryLock = keyof typeof advisoryLocks;

export function advisoryLockNumber(lock: AdvisoryLock): number {
  return advisoryLocks[lock];
}

/** Waits for the lock and holds it to the end of the transaction. */
export async function lockInTransaction(transaction: Database, lock: AdvisoryLock): Promise<void> {
  await transaction.execute(lockStatement(lock));
}

/**
 * The statement that takes the lock. The statements after it see all that was committed under the lock, also when they are sent
 * together with it:
 *
 *     await Promise.all([transaction.execute(lockStatement(lock)), transaction.execute(next)]);
 */
export function lockStatement(lock: AdvisoryLock): SQL {
  return sql`select pg_advisory_xact_lock(${sql.raw(String(advisoryLocks[lock]))})`;
}

/** Takes the lock to the end of the transaction unless another has it. */
export async function tryLockInTransaction(
  transaction: Database,
  lock: AdvisoryLock,
): Promise<boolean> {
  const { rows } = await transaction.execute<{ taken: boolean }>(
    sql`select pg_try_advisory_xact_lock(${advisoryLocks[lock]}) as taken`,
  );
  return rows[0]?.taken === true;
}
