import { uploadChunkBytesMax } from "@podfleet/protocol/host/upload-chunk";

/** Cuts an archive into chunks of the size that one message carries. */
export async function* chunksOf(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of archive) {
    for (let rest = part; rest.length > 0;) {
      const taken = rest.subarray(0, uploadChunkBytesMax - length);
      parts.push(taken);
      length += taken.length;
      rest = rest.subarray(taken.length);
      if (length < uploadChunkBytesMax) continue;
      yield Buffer.concat(parts);
      parts = [];
      length = 0;
    }
  }
  if (length > 0) yield Buffer.concat(parts);
}
