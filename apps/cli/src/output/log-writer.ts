/** Writes log records to standard output and standard error: byte for byte, or each line with a prefix. */
import type { LogRecord } from "@podfleet/client/logs";

import type { Output } from "./output.ts";

export interface LogOutputs {
  readonly stdout: Output;
  readonly stderr: Output;
}

/** Makes the text before a line from the record that begins it. */
export type LinePrefix = (record: LogRecord) => string;

const newline = Buffer.from("\n");

export class LogWriter {
  readonly #outputs: LogOutputs;
  readonly #prefix: LinePrefix | undefined;
  /** Streams whose last line has no newline yet. */
  readonly #openLines = new Set<LogRecord["stream"]>();

  constructor(outputs: LogOutputs, prefix?: LinePrefix) {
    this.#outputs = outputs;
    this.#prefix = prefix;
  }

  /** Writes records in order. Consecutive records of one stream are written at once. */
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

/** Part of a journal: the offsets of its first byte and of the byte after its last. */
interface Gap {
  readonly from: number;
  readonly to: number;
}

export function describeGap({ from, to }: Gap, container: string): string {
  return `the host no longer keeps ${to - from} bytes of the output of "${container}"`;
}

/** Prints a warning on `output` in place of the missing bytes. */
export function gapWarning(output: Output, container: string): (gap: Gap) => Promise<void> {
  return async (gap) => await output.print(`Warning: ${describeGap(gap, container)}`);
}
