import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";

const chunkSize = 256 * 1024;

/** Streams the file's bytes, decompressed when they are gzip (RFC 1952) or zstd (RFC 8878). The stream emits errors as `error`. */
export async function readDecompressed(path: string): Promise<Readable> {
  const decompressor = await findDecompressor(path);
  const source = createReadStream(path, { highWaterMark: chunkSize });
  if (decompressor === undefined) return source;
  // Safe to ignore: a failure destroys the decompressor with the same error, which its reader receives.
  return pipeline(source, decompressor, () => undefined);
}

async function findDecompressor(path: string) {
  const head = Buffer.alloc(4);
  const file = await open(path);
  try {
    await file.read(head, 0, head.length, 0);
  } finally {
    await file.close();
  }
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip({ chunkSize });
  if (head.readUInt32LE() === 0xfd2fb528) return createZstdDecompress({ chunkSize });
  return undefined;
}
