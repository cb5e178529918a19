/** Queries for recent spans, whose number and age are bounded: `podfleet trace` works without a collector. */
import type { SpanRecord } from "@podfleet/model/span";
import { eq, sql } from "drizzle-orm";

import type { Database } from "./database.ts";
import { spans } from "./schema.ts";

/** Stores spans. A span that is stored already is left as it is. */
export async function insertSpans(
  database: Database,
  records: readonly SpanRecord[],
): Promise<void> {
  if (records.length === 0) return;
  // Spans of callers may hold NUL, which jsonb cannot store.
  const rows = JSON.stringify(records).replaceAll(String.raw`\u0000`, "");
  await database.execute(sql`
    insert into ${spans} (trace_id, span_id, record)
    select record->>'traceId', record->>'spanId', record
    from jsonb_array_elements(${rows}::jsonb) as record
    on conflict do nothing`);
}

/** Lists the spans of a trace in the order of their start. */
export async function listSpans(database: Database, traceId: string): Promise<SpanRecord[]> {
  const rows = await database
    .select({ record: spans.record })
    .from(spans)
    .where(eq(spans.traceId, traceId))
    .orderBy(sql`(${spans.record}->>'startTimeUnixNano')::numeric`);
  return rows.map(({ record }) => record);
}

export interface SpanBounds {
  readonly spansMax: number;
  readonly ageMaxMs: number;
}

/** @returns the number of spans that were deleted */
export async function pruneSpans(database: Database, bounds: SpanBounds): Promise<number> {
  const { rowCount } = await database.execute(sql`
    delete from ${spans}
    where ${spans.number} <= (select coalesce(max(${spans.number}), 0) from ${spans}) - ${bounds.spansMax}
      or ${spans.receivedAt} < now() - make_interval(secs => ${bounds.ageMaxMs / 1000})`);
  return rowCount ?? 0;
}
