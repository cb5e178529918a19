import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import {
  checkpointEntries,
  type CheckpointManifest,
  parseCheckpointManifest,
} from "@podfleet/model/container/checkpoint";
import { writeDurably } from "@podfleet/storage/file/durable-file";

/** Undefined when `directory` holds no whole checkpoint. */
export async function findManifest(directory: string): Promise<CheckpointManifest | undefined> {
  try {
    return parseCheckpointManifest(
      await readFile(join(directory, checkpointEntries.manifest), "utf8"),
    );
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Makes the checkpoint in `directory` a whole one. */
export async function writeManifest(
  directory: string,
  manifest: Omit<CheckpointManifest, "format" | "version" | "files">,
): Promise<CheckpointManifest> {
  const whole: CheckpointManifest = {
    format: "podfleet-checkpoint",
    version: 1,
    ...manifest,
    files: await listFiles(directory),
  };
  await writeDurably(join(directory, checkpointEntries.manifest), JSON.stringify(whole));
  return whole;
}

async function listFiles(directory: string): Promise<CheckpointManifest["files"]> {
  const { image, rootfs } = checkpointEntries;
  const images = (await readdir(join(directory, image))).map((name) => `${image}/${name}`);
  const files = await Promise.all(
    [...images, rootfs].map(async (path) => {
      const sizeBytes = await findSize(join(directory, path));
      return sizeBytes === undefined ? [] : [{ path, sizeBytes }];
    }),
  );
  return files.flat();
}

async function findSize(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
