/** Log records to the two outputs, byte for byte, or each line with a prefix. */
import type { LogRecord } from "@podfleet/client/logs";

import type { Output } from "../output/terminal.ts";

export interface LogOutputs {
  readonly stdout: Output;
  readonly stderr: Output;
}

/** What stands before a line; given the record that begins it. */
export type LinePrefix = (record: LogRecord) => string;

const newline = Buffer.from("\n");

export class LogWriter {
  readonly #outputs: LogOutputs;
  readonly #prefix: LinePrefix | undefined;
  /** Streams whose last line has not ended. */
  readonly #openLines = new Set<LogRecord["stream"]>();

  constructor(outputs: LogOutputs, prefix?: LinePrefix) {
    this.#outputs = outputs;
    this.#prefix = prefix;
  }

  /** Writes records in their order; neighbours on the same stream go out in one write. */
  async write(records: readonly LogRecord[]): Promise<void> {
    let pieces: Uint8Array[] = [];
    for (const [index, record] of records.entries()) {
      if (this.#prefix && !this.#openLines.has(record.stream)) {
        pieces.push(Buffer.from(this.#prefix(record)));
      }
      pieces.push(record.bytes);
      if (record.endsLine) {
        pieces.push(newline);
        this.#openLines.delete(record.stream);
      } else {
        this.#openLines.add(record.stream);
      }
      if (records[index + 1]?.stream !== record.stream) {
        await this.#outputs[record.stream].write(Buffer.concat(pieces));
        pieces = [];
      }
    }
  }
}
