/**
 * A client as a program of its own, which may be killed at any moment: it records the output of a session in a file, and resumes at
 * the end of the file when it is started again.
 *
 *     node session-recorder.ts URL TOKEN CONTAINER SESSION FILE
 *
 * The file has a record for each piece of output: a line with its stream and the journal's position after it, and its length; then its
 * bytes. At the end it has the line `exit CODE`.
 */
import { appendFileSync, existsSync, readFileSync, truncateSync } from "node:fs";

import type { JournalStream } from "@podfleet/base/journal-record";
import { createClient } from "@podfleet/client/client";
import { sessionIdSchema } from "@podfleet/model/ids";

export interface Recording {
  readonly pieces: readonly { readonly stream: JournalStream; readonly bytes: Uint8Array }[];
  /** The offset of the first output that is not recorded yet. */
  readonly next: number;
  /** Length of the file's whole records. */
  readonly length: number;
  readonly exitCode: number | undefined;
}

/** A record that was cut off is left out. */
export function readRecording(path: string): Recording {
  const file = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const pieces: { stream: JournalStream; bytes: Uint8Array }[] = [];
  let next = 0;
  let at = 0;
  for (;;) {
    const lineEnd = file.indexOf("\n", at);
    if (lineEnd < 0) return { pieces, next, length: at, exitCode: undefined };
    const [stream, position, size] = file.subarray(at, lineEnd).toString().split(" ");
    if (stream === "exit") return { pieces, next, length: at, exitCode: Number(position) };
    const end = lineEnd + 1 + Number(size);
    if (end > file.length) return { pieces, next, length: at, exitCode: undefined };
    pieces.push({ stream: stream as JournalStream, bytes: file.subarray(lineEnd + 1, end) });
    next = Number(position);
    at = end;
  }
}

async function record([url = "", token = "", container = "", id = "", path = ""]: string[]) {
  const recorded = readRecording(path);
  if (recorded.exitCode !== undefined) return;
  if (existsSync(path)) truncateSync(path, recorded.length);
  const client = createClient({ url, token });
  const session = await client.openSession(
    {
      container,
      session: sessionIdSchema.parse(id),
      spec: { from: "start" },
      offset: recorded.next,
    },
    { outageMaxMs: 600_000, whenHostSilent: "retry" },
  );
  for await (const piece of session.output) {
    if (piece.type === "gap") throw new Error(`Lost ${piece.from} to ${piece.to}`);
    const head = Buffer.from(`${piece.stream} ${piece.next} ${piece.bytes.length}\n`);
    appendFileSync(path, Buffer.concat([head, piece.bytes]));
  }
  const { exitCode } = await session.exit;
  appendFileSync(path, `exit ${exitCode}\n`);
}

if (import.meta.main) await record(process.argv.slice(2));
