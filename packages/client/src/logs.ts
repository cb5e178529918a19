/** A container's output, read from its journal by offset: byte for byte, from byte 0, and gap-free across outages. */
import { timerMsMax } from "@podfleet/base/clock";
import { parseJournal } from "@podfleet/base/journal-record";
import type { JournalStream } from "@podfleet/base/journal-record";
import { hasCode } from "@podfleet/model/errors";
import type { ExecId } from "@podfleet/model/ids";
import { logChunkSchema } from "@podfleet/model/log";

import type { ApiInputs } from "./api.ts";
import type { Connection } from "./connection.ts";
import type { OutageOptions } from "./outage.ts";
import { subscribe } from "./subscription.ts";

export type LogsRequest = Omit<ApiInputs["containers"]["logs"], "lastEventId"> & {
  /** Leaves out what was written at or after this time (RFC 3339), and with `follow` ends when it has come. */
  readonly until?: string;
  /** Goes on from here, as `journalEnd` gave it; overrides `tail` and `since`. */
  readonly offset?: number;
  /** Told when the host does not keep a part of the output any more, before what comes after it. */
  readonly onGap?: (gap: { readonly from: number; readonly to: number }) => Promise<void>;
  /** The output of this exec session instead of the container's own. */
  readonly exec?: ExecId;
};

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

/** Yields records one by one: see `followLogChunks`. */
export async function* followLogs(
  connection: Connection,
  request: LogsRequest,
  options?: OutageOptions,
): AsyncGenerator<LogRecord, void> {
  for await (const records of followLogChunks(connection, request, options)) yield* records;
}

/**
 * Yields the records of one chunk of the journal after the other. Ends at the journal's present end, or with `follow` when the
 * container's run has ended and everything was yielded.
 * @throws PodfleetError UNAVAILABLE after an outage of `outageMaxMs`; HOST_UNREACHABLE when the host does not answer
 */
export async function* followLogChunks(
  connection: Connection,
  request: LogsRequest,
  options: OutageOptions = {},
): AsyncGenerator<LogRecord[], void> {
  const { until, offset, onGap, ...rest } = request;
  const input = { ...rest, ...(offset === undefined ? {} : { lastEventId: String(offset) }) };
  const expiry = until !== undefined && input.follow ? timeSignal(until) : undefined;
  const signal = AbortSignal.any([options.signal, expiry].filter((each) => each !== undefined));
  const path = input.exec === undefined ? "containers.logs" : "exec.output";
  const events = subscribe(connection, { path, input }, { ...options, signal });
  try {
    for await (const { data } of events) {
      const { gap } = logChunkSchema.parse(data);
      if (gap) await onGap?.(gap);
      const records = recordsOfChunk(data);
      const end = until === undefined ? -1 : indexOfTime(records, until);
      yield end < 0 ? records : records.slice(0, end);
      if (end >= 0) return;
    }
  } catch (error) {
    if (!(expiry?.aborted && hasCode(error, "CANCELLED"))) throw error;
  }
}

/** The offset after everything that the container has written by now. */
export async function journalEnd(connection: Connection, container: string): Promise<number> {
  let end = 0;
  const request = { path: "containers.logs", input: { container, tail: 1 } };
  for await (const { data } of subscribe(connection, request))
    end = logChunkSchema.parse(data).next;
  return end;
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

/** What one event of a subscription to output holds. */
export function bytesOfChunk(data: unknown): Uint8Array {
  return logChunkSchema.parse(data).bytes;
}

/** The records in it. */
export function recordsOfChunk(data: unknown): LogRecord[] {
  const records = parseJournal(bytesOfChunk(data));
  return Array.from(records, ({ stream, timestamp, payload, endsLine }) => {
    return { stream, timestamp, bytes: payload, endsLine };
  });
}
