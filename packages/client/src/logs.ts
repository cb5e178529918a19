/** A container's output, read from its journal by offset: byte for byte, from byte 0, and gap-free across outages. */
import { parseJournal } from "@podfleet/base/journal-record";
import type { JournalStream } from "@podfleet/base/journal-record";
import { z } from "zod";

import type { ApiInputs } from "./api.ts";
import type { Connection } from "./connection.ts";
import type { OutageOptions } from "./outage.ts";
import { subscribe } from "./subscription.ts";

export type LogsRequest = Omit<ApiInputs["containers"]["logs"], "lastEventId"> & {
  /** Leaves out what was written at or after this time, and ends there. */
  readonly until?: Date;
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

const chunkSchema = z.object({ bytes: z.instanceof(Uint8Array), next: z.number() });

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
  const { until, ...input } = request;
  const events = subscribe(connection, { path: "containers.logs", input }, options);
  for await (const { data } of events) {
    const records = [...recordsOf(chunkSchema.parse(data).bytes)];
    const end = until ? records.findIndex((record) => isAtOrAfter(record, until)) : -1;
    if (end >= 0) {
      yield records.slice(0, end);
      return;
    }
    yield records;
  }
}

function* recordsOf(chunk: Uint8Array): Generator<LogRecord> {
  for (const { stream, timestamp, payload, endsLine } of parseJournal(chunk)) {
    yield { stream, timestamp, bytes: payload, endsLine };
  }
}

function isAtOrAfter(record: LogRecord, time: Date): boolean {
  return Date.parse(record.timestamp) >= time.getTime();
}
