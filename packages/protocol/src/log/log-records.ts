/** A journal's chunks as log records: lines, with the stream and the time of each. */
import { timerMsMax } from "@podfleet/base/clock";
import { type JournalStream, parseJournal } from "@podfleet/base/journal-record";
import { hasCode } from "@podfleet/model/errors";
import type { LogChunk } from "@podfleet/model/log";

/** A line, or a part of one that had no newline when the monitor read it. */
export interface LogRecord {
  readonly stream: JournalStream;
  /** RFC 3339 with nanoseconds. */
  readonly timestamp: string;
  /** Without the newline. */
  readonly bytes: Uint8Array;
  /** A newline follows `bytes`. */
  readonly endsLine: boolean;
}

export interface LogLimits {
  /** Leaves out what was written at or after this time (RFC 3339), and with `follow` ends when it has come. */
  readonly until?: string | undefined;
  readonly follow?: boolean | undefined;
  /** Called when the host no longer keeps a part of the output, before the output that follows it. */
  readonly onGap?: ((gap: NonNullable<LogChunk["gap"]>) => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Yields the records of one chunk after the other, up to `until`.
 * @param chunksUntil reads the journal until its end, or until the signal is aborted
 */
export async function* readLogRecords(
  chunksUntil: (signal: AbortSignal) => AsyncIterable<LogChunk>,
  { until, follow, onGap, signal: callers }: LogLimits,
): AsyncGenerator<LogRecord[], void> {
  const expiry = until !== undefined && follow ? timeSignal(until) : undefined;
  const signal = AbortSignal.any([callers, expiry].filter((each) => each !== undefined));
  try {
    for await (const { bytes, gap } of chunksUntil(signal)) {
      if (gap) await onGap?.(gap);
      const records = recordsOf(bytes);
      const end = until === undefined ? -1 : indexOfTime(records, until);
      yield end < 0 ? records : records.slice(0, end);
      if (end >= 0) return;
    }
  } catch (error) {
    if (!(expiry?.aborted && hasCode(error, "CANCELLED"))) throw error;
  }
}

/** The records in whole journal records. */
export function recordsOf(journal: Uint8Array): LogRecord[] {
  return Array.from(parseJournal(journal), ({ stream, timestamp, payload, endsLine }) => {
    return { stream, timestamp, bytes: payload, endsLine };
  });
}

/** Output written just before `time` is still on its way when it comes. */
const lateMs = 500;

function timeSignal(time: string): AbortSignal {
  const remainingMs = Date.parse(time) - Date.now() + lateMs;
  return AbortSignal.timeout(Math.min(Math.max(remainingMs, lateMs), timerMsMax));
}

/** Index of the first record at or after `time`; -1 without one. */
function indexOfTime(records: readonly LogRecord[], time: string): number {
  const limit = unixNano(time);
  return records.findIndex(({ timestamp }) => unixNano(timestamp) >= limit);
}

function unixNano(timestamp: string): bigint {
  const [, fraction = ""] = /\.(\d{1,9})/.exec(timestamp) ?? [];
  const wholeMs = Date.parse(timestamp.replace(/\.\d+/, ""));
  return BigInt(wholeMs) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}
