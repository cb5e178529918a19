/**
 * A checkpoint: what it takes to go on with a run later or elsewhere. On disk it is a directory; an archive is a tar of it, the
 * manifest first:
 *
 *     manifest.json   what is known of the container and of the host
 *     image/          the processes, as CRIU wrote them
 *     rootfs.tar      what the container has changed in its root filesystem, a tar of its writable layer; only when it was made
 *                     for an archive, and that was not to leave it out
 */
import { z } from "zod";

import { PodfleetError } from "../errors.ts";
import { containerIdSchema, imageIdSchema, operationIdSchema } from "../ids.ts";
import { containerSpecSchema } from "./spec.ts";

const off = z.boolean().default(false);

export const checkpointOptions = {
  /** Keeps CRIU's log and statistics of it. */
  keep: off,
  /** The container runs on. */
  leaveRunning: off,
  /** Takes established TCP connections along; refused when there are some otherwise. */
  tcpEstablished: off,
  /** Takes file locks along; refused when there are some otherwise. */
  fileLocks: off,
  /** Makes it fit for an archive: it holds what the container has changed in its root filesystem too. */
  archive: off,
  /** Leaves those changes out. */
  ignoreRootfs: off,
};

export const restoreOptions = {
  /** Keeps the checkpoint, and CRIU's log and statistics. */
  keep: off,
  tcpEstablished: off,
  fileLocks: off,
  /**
   * Lets it come up with another address than the one its spec fixes. A container without a network of its own (`none`, `host`)
   * has no such address, so nothing changes for it.
   */
  ignoreStaticIp: off,
  /** The same for the hardware address. */
  ignoreStaticMac: off,
};

export const importOptions = {
  ...restoreOptions,
  /** Begins with the image's root filesystem, without the changes that the archive holds. */
  ignoreRootfs: off,
};

const importOptionsSchema = z.object(importOptions);
export type ImportOptions = z.infer<typeof importOptionsSchema>;
export type RestoreOptions = Omit<ImportOptions, "ignoreRootfs">;

/** The archive's entries. */
export const checkpointEntries = {
  manifest: "manifest.json",
  image: "image",
  rootfs: "rootfs.tar",
} as const;

/** Bytes of a manifest. */
export const checkpointManifestBytesMax = 4 * 1024 * 1024;

export const checkpointManifestSchema = z.object({
  format: z.literal("podfleet-checkpoint"),
  version: z.literal(1),
  createdAt: z.iso.datetime(),
  /** The operation that made it. */
  operationId: operationIdSchema,
  container: z.object({ id: containerIdSchema, name: z.string() }),
  imageId: imageIdSchema,
  spec: containerSpecSchema,
  runtime: z.string(),
  criuVersion: z.string(),
  kernelVersion: z.string(),
  architecture: z.string(),
  forArchive: z.boolean(),
  /** All that belongs to it beside the manifest, by path; what is cut off lacks some. */
  files: z.array(z.object({ path: z.string(), sizeBytes: z.number().int().min(0) })),
});
export type CheckpointManifest = z.infer<typeof checkpointManifestSchema>;

/** @throws PodfleetError CHECKPOINT_INVALID */
export function parseCheckpointManifest(text: string): CheckpointManifest {
  try {
    return checkpointManifestSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new PodfleetError(
      "CHECKPOINT_INVALID",
      `Cannot read the checkpoint: its "${checkpointEntries.manifest}" is not one that podfleet has written`,
      { cause: error },
    );
  }
}

/** @throws PodfleetError CHECKPOINT_INVALID for a checkpoint that no new container can be made of */
export function assertImportable({ forArchive, spec }: CheckpointManifest): void {
  if (!forArchive) {
    throw new PodfleetError(
      "CHECKPOINT_INVALID",
      "Cannot restore the checkpoint as a new container: it was not made for an archive",
    );
  }
  if (spec.dependencies.length === 0) return;
  throw new PodfleetError(
    "CHECKPOINT_INVALID",
    "Cannot restore the checkpoint as a new container: the one that it is of depends on other containers",
  );
}
