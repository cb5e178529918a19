/**
 * Docker's format for two streams over one connection: `application/vnd.docker.multiplexed-stream`. Each piece has a header of 8 bytes
 * before it: the stream (1 stdout, 2 stderr), three zeros, and the length of the piece as an unsigned big-endian integer. The output
 * of a terminal is one stream and has no headers: `application/vnd.docker.raw-stream`.
 * Source: https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Container/operation/ContainerAttach
 */
import type { JournalStream } from "@podfleet/base/journal-record";

import { namesFrames } from "../http/api-version.ts";

export const frameHeaderBytes = 8;

/** Encodes pieces of one stream as one frame; without a header when the stream has no frames. */
export function frame(
  stream: JournalStream,
  pieces: readonly Uint8Array[],
  isFramed: boolean,
): Uint8Array[] {
  if (!isFramed) return [...pieces];
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUInt8(stream === "stdout" ? 1 : 2);
  header.writeUInt32BE(
    pieces.reduce((sum, piece) => sum + piece.length, 0),
    4,
  );
  return [header, ...pieces];
}

export const rawStreamType = "application/vnd.docker.raw-stream";

/** The content type. Before API 1.42 it did not tell whether there are frames. */
export function streamType(version: string, isFramed: boolean): string {
  return isFramed && namesFrames(version)
    ? "application/vnd.docker.multiplexed-stream"
    : rawStreamType;
}
