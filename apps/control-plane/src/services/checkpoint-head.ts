/** Reads the manifest of a checkpoint archive while the archive is streamed. It is the first entry and holds the container's spec. */
import { text } from "node:stream/consumers";

import {
  assertImportable,
  checkpointEntries,
  type CheckpointManifest,
  checkpointManifestBytesMax,
  parseCheckpointManifest,
} from "@podfleet/model/container/checkpoint";
import { PodfleetError } from "@podfleet/model/errors";
import { type Extract, extract } from "tar-stream";

export interface CheckpointHead {
  readonly manifest: CheckpointManifest;
  /** The whole archive, with the part that was read. */
  readonly archive: AsyncGenerator<Uint8Array>;
}

/** @throws PodfleetError CHECKPOINT_INVALID; errors of reading the archive */
export async function readCheckpointHead(
  archive: AsyncIterable<Uint8Array>,
): Promise<CheckpointHead> {
  const parts = archive[Symbol.asyncIterator]();
  const taken: Uint8Array[] = [];
  const entries = extract();
  const first = firstEntry(entries);
  // Safe to ignore: it is awaited below.
  first.catch(() => undefined);
  const settled = first.then(
    () => "settled" as const,
    () => "settled" as const,
  );
  for (;;) {
    const part = await parts.next();
    if (part.done === true) {
      entries.end(null);
      break;
    }
    taken.push(part.value);
    if ((await Promise.race([settled, looked(entries, part.value)])) === "settled") break;
  }
  const manifest = parseCheckpointManifest(await first);
  entries.destroy();
  assertImportable(manifest);
  return { manifest, archive: whole(taken, parts) };
}

/** Resolves when `entries` can take more. */
async function looked(entries: Extract, bytes: Uint8Array): Promise<"looked"> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (entries.write(bytes)) setImmediate(resolve);
  else entries.once("drain", resolve);
  await promise;
  return "looked";
}

async function* whole(
  taken: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* taken;
  for (let part = await rest.next(); part.done !== true; part = await rest.next()) yield part.value;
}

async function firstEntry(entries: Extract): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  entries.once("entry", ({ name, size }, entry) => {
    if (name === checkpointEntries.manifest && size <= checkpointManifestBytesMax) {
      text(entry).then(resolve, reject);
    } else {
      reject(invalid(`it does not begin with "${checkpointEntries.manifest}"`));
    }
  });
  entries.once("error", (error) => reject(invalid(error.message)));
  entries.once("finish", () => reject(invalid("it is empty or cut off")));
  return await promise;
}

function invalid(reason: string): PodfleetError {
  return new PodfleetError("CHECKPOINT_INVALID", `Cannot read the checkpoint archive: ${reason}`);
}
