/**
 * A checkpoint: what it takes to go on with a run elsewhere or later. On disk it is a directory, in an archive a tar of it:
 *
 *     manifest.json   this; written last, so a checkpoint is whole when it is there
 *     image/          the processes, as CRIU wrote them
 *     rootfs.tar      what the container has changed in its root filesystem, as a tar of its writable layer; only in a checkpoint
 *                     made for an archive, and not when that was to leave it out
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { containerSpecSchema } from "@podfleet/model/container/spec";
import { PodfleetError } from "@podfleet/model/errors";
import { containerIdSchema, imageIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const manifestName = "manifest.json";
export const imageName = "image";
export const rootfsName = "rootfs.tar";

const manifestSchema = z.object({
  format: z.literal("podfleet-checkpoint"),
  version: z.literal(1),
  createdAt: z.iso.datetime(),
  container: z.object({ id: containerIdSchema, name: z.string() }),
  imageId: imageIdSchema,
  spec: containerSpecSchema,
  runtime: z.object({ name: z.string(), version: z.string() }),
  criuVersion: z.string(),
  kernelVersion: z.string(),
  architecture: z.string(),
  tcpEstablished: z.boolean(),
  fileLocks: z.boolean(),
  /** Made for an archive: it stands by itself. */
  forArchive: z.boolean(),
  /** `rootfs.tar` is there. */
  hasRootfs: z.boolean(),
});
export type CheckpointManifest = z.infer<typeof manifestSchema>;

/** Undefined when `directory` holds no whole checkpoint. */
export async function findManifest(directory: string): Promise<CheckpointManifest | undefined> {
  try {
    return parseManifest(await readFile(join(directory, manifestName), "utf8"));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** @throws PodfleetError CHECKPOINT_INVALID */
export function parseManifest(text: string): CheckpointManifest {
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new PodfleetError(
      "CHECKPOINT_INVALID",
      `Cannot read the checkpoint: "${manifestName}" is not that of a podfleet checkpoint`,
      { cause: error },
    );
  }
}
