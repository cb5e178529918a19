/** Encodes log records in Docker's wire format: a frame for each line, because some clients take a frame for a line. */
import type { LogRecord } from "@podfleet/protocol/log/log-records";

import { frame } from "../stream/frames.ts";

export interface LogFormat {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Prefixes each line with the time at which it was written. */
  readonly timestamps: boolean;
  readonly isFramed: boolean;
}

const newline = Buffer.from("\n");

export class LogFrames {
  readonly #format: LogFormat;
  /** Streams whose last line has not ended. */
  readonly #openLines = new Set<LogRecord["stream"]>();

  constructor(format: LogFormat) {
    this.#format = format;
  }

  encode(records: readonly LogRecord[]): Uint8Array {
    return Buffer.concat(records.flatMap((record) => this.#encode(record)));
  }

  /** Encodes the error that ends the output. */
  failure(message: string): Uint8Array {
    return Buffer.concat(frame("stderr", [Buffer.from(`${message}\n`)], this.#format.isFramed));
  }

  #encode(record: LogRecord): Uint8Array[] {
    const { stream, bytes, endsLine, timestamp } = record;
    if (!this.#format[stream]) return [];
    const isBegun = this.#openLines.has(stream);
    if (endsLine) this.#openLines.delete(stream);
    else this.#openLines.add(stream);
    const prefix = this.#format.timestamps && !isBegun ? [Buffer.from(`${utc(timestamp)} `)] : [];
    const pieces = [...prefix, bytes, ...(endsLine ? [newline] : [])];
    return frame(stream, pieces, this.#format.isFramed);
  }
}

/** RFC 3339 in UTC with nanoseconds, which Date would cut off. */
function utc(timestamp: string): string {
  const [, fraction = ""] = /\.(\d+)/.exec(timestamp) ?? [];
  const seconds = new Date(timestamp).toISOString().slice(0, "1970-01-01T00:00:00".length);
  return `${seconds}.${fraction.padEnd(9, "0")}Z`;
}
