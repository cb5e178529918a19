/** Takes a checkpoint archive apart. Only what its manifest, the first entry, lists is taken, and all of that has to be there. */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

import {
  assertImportable,
  checkpointEntries,
  type CheckpointManifest,
  checkpointManifestBytesMax,
  parseCheckpointManifest,
} from "@podfleet/model/container/checkpoint";
import { PodfleetError } from "@podfleet/model/errors";
import { type Extract, extract } from "tar-stream";

type Entry = Extract extends AsyncIterable<infer Item> ? Item : never;

/** What CRIU names its files. */
const imagePath = /^image\/[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * Unpacks the archive at `path` into `directory`, and returns its manifest, which is left for the caller to write.
 * @throws PodfleetError CHECKPOINT_INVALID
 */
export async function unpackCheckpoint(
  path: string,
  directory: string,
): Promise<CheckpointManifest> {
  await mkdir(join(directory, checkpointEntries.image), { recursive: true, mode: 0o700 });
  const entries = extract();
  const feeding = pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), entries);
  const [fed, taken] = await Promise.allSettled([feeding, takeAll(entries, directory)]);
  if (taken.status === "fulfilled" && fed.status === "fulfilled") return taken.value;
  throw failureOf(taken, fed);
}

async function takeAll(
  entries: AsyncIterable<Entry>,
  directory: string,
): Promise<CheckpointManifest> {
  let manifest: CheckpointManifest | undefined;
  const missing = new Map<string, number>();
  for await (const entry of entries) {
    if (!manifest) {
      manifest = await readManifest(entry);
      for (const { path, sizeBytes } of manifest.files) missing.set(path, sizeBytes);
      continue;
    }
    const { name, size } = entry.header;
    if (missing.get(name) !== size || !isTakeable(entry)) {
      throw invalid(`its entry ${JSON.stringify(name)} is not one that its manifest lists`);
    }
    missing.delete(name);
    await pipeline(entry as unknown as Readable, createWriteStream(join(directory, name)));
  }
  if (!manifest) throw invalid("it is empty");
  const [first] = missing.keys();
  if (first !== undefined) throw invalid(`it lacks ${JSON.stringify(first)}`);
  return manifest;
}

async function readManifest(entry: Entry): Promise<CheckpointManifest> {
  const { name, size, type } = entry.header;
  const isManifest = name === checkpointEntries.manifest && type === "file";
  if (!isManifest || size > checkpointManifestBytesMax) {
    throw invalid(`it does not begin with "${checkpointEntries.manifest}"`);
  }
  const manifest = parseCheckpointManifest(await text(entry as unknown as Readable));
  assertImportable(manifest);
  return manifest;
}

function isTakeable({ header: { name, type } }: Entry): boolean {
  return type === "file" && (name === checkpointEntries.rootfs || imagePath.test(name));
}

/** The first cause: whichever side fails, the other is cut off with an error of its own. */
function failureOf(...results: PromiseSettledResult<unknown>[]): unknown {
  const reasons = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason as unknown] : [],
  );
  const cause = reasons.find((reason) => reason instanceof PodfleetError) ?? reasons[0];
  if (cause instanceof PodfleetError || (cause instanceof Error && "syscall" in cause))
    return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return invalid(`it is not a whole tar archive: ${reason}`, cause);
}

function invalid(reason: string, cause?: unknown): PodfleetError {
  return new PodfleetError("CHECKPOINT_INVALID", `Cannot read the checkpoint archive: ${reason}`, {
    cause,
  });
}
