import type { LoopResult } from "@podfleet/base/loop";
import type { Database } from "@podfleet/db/database";
import { pruneRecords } from "@podfleet/db/prune";

const day = 24 * 60 * 60 * 1_000;

/** The retention of each kind of record. */
const bounds = {
  recordAgeMaxMs: 30 * day,
  // The same as the agents' retention of ended sessions.
  createdExecAgeMaxMs: day,
  spans: { spansMax: 200_000, ageMaxMs: day },
};

export async function prune(database: Database): Promise<LoopResult> {
  return { dropped: (await pruneRecords(database, bounds)) ?? 0 };
}
