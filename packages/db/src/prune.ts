import { type SQL, sql } from "drizzle-orm";

import { tryLockInTransaction } from "./advisory-lock.ts";
import type { Database } from "./database.ts";
import { containers, createdExecs, events, operations } from "./schema.ts";
import { pruneSpans, type SpanBounds } from "./spans.ts";

export interface RecordBounds {
  /** Greatest age of finished operations, events and removed containers. */
  readonly recordAgeMaxMs: number;
  /** Greatest age of created exec sessions, started or not. */
  readonly createdExecAgeMaxMs: number;
  readonly spans: SpanBounds;
}

/**
 * Deletes records past their bounds.
 * @returns their number; undefined when another replica prunes
 */
export async function pruneRecords(
  database: Database,
  bounds: RecordBounds,
): Promise<number | undefined> {
  return await database.transaction(async (transaction) => {
    if (!(await tryLockInTransaction(transaction, "pruning"))) return undefined;
    const oldest = before(bounds.recordAgeMaxMs);
    const deletions = [
      sql`delete from ${createdExecs} where ${createdExecs.createdAt} < ${before(bounds.createdExecAgeMaxMs)}`,
      sql`delete from ${operations} where ${operations.finishedAt} < ${oldest}`,
      sql`delete from ${events} where ${events.time} < ${oldest}`,
      sql`delete from ${containers} where ${containers.removedAt} < ${oldest}`,
    ];
    let count = await pruneSpans(transaction, bounds.spans);
    for (const deletion of deletions) {
      count += (await transaction.execute(deletion)).rowCount ?? 0;
    }
    return count;
  });
}

function before(ageMs: number): SQL {
  return sql`now() - make_interval(secs => ${ageMs / 1000})`;
}
