import { hasCode, PodfleetError } from "@podfleet/model/errors";

import { readDecompressed } from "../file/compression.ts";
import { storing } from "../file/storage-failure.ts";
import type { IsolatedTar } from "./isolated-tar.ts";
import { findPlace, openPlace } from "./place.ts";

export type UnpackResult = "unpacked" | "nothing at the path" | "not a directory";

/**
 * Unpacks the tar archive in the file `archive`, plain or compressed, into the directory `path` of a root filesystem. Nothing in the
 * archive or in the root filesystem leads out of the directory. A failure half-way leaves a part of the files.
 * @throws PodfleetError INVALID_INPUT when it is not a whole archive; STORAGE_FAILED
 */
export async function unpackFiles(
  tar: IsolatedTar,
  archive: string,
  { rootfs, path }: { readonly rootfs: string; readonly path: string },
): Promise<UnpackResult> {
  const place = await findPlace(rootfs, path);
  if (!place) return "nothing at the path";
  await using _parent = place.parent;
  const directory = await openPlace(place);
  if (!directory) return "not a directory";
  await using opened = directory;
  const input = await readDecompressed(archive);
  await storing("unpack the archive in the container", async () => {
    try {
      await tar.extract(opened, input);
    } catch (error) {
      throw archiveFault(error) ?? error;
    }
  });
  return "unpacked";
}

/** tar's messages about something that is not, or not wholly, an archive. */
const archiveFaults = /does not look like a tar archive|Unexpected EOF|Skipping to next header/;

/** Returns undefined when `error` is not about the archive. */
function archiveFault(error: unknown): PodfleetError | undefined {
  const stderr = hasCode(error, "RUNTIME_FAILED") ? error.details?.["stderr"] : undefined;
  const [reason] = (typeof stderr === "string" && archiveFaults.exec(stderr)) || [];
  if (reason === undefined) return undefined;
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot unpack the archive: it is not a whole tar archive (${reason})`,
    { cause: error },
  );
}
