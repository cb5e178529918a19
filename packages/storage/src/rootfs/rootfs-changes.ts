/**
 * The changes of a container's root filesystem against its image. The writable layer holds what was added and changed, and a whiteout
 * (a character device 0/0) for what was deleted. A directory that was deleted and made anew hides the image's files in it: those that the
 * image has there and the mounted root filesystem has not.
 */
import { type FileHandle, lstat, readdir } from "node:fs/promises";
import { join } from "node:path/posix";

import { hasErrno } from "@podfleet/base/errno";
import type { FileChange } from "@podfleet/model/file";

import { storing } from "../file/storage-failure.ts";
import { openDirectory, pathOf } from "./place.ts";

export interface RootfsLayers {
  /** Path of the mounted root filesystem: the writable layer over the image. */
  readonly rootfs: string;
  /** The writable layer. */
  readonly upper: FileHandle;
  /** The root filesystem of the image alone. */
  readonly image: FileHandle;
}

/** Lists the changes, parents before children, by name; closes `upper` and `image` at its end. */
export async function* listChanges(layers: RootfsLayers): AsyncGenerator<FileChange> {
  await using image = layers.image;
  await using upper = layers.upper;
  yield* changesIn({ rootfs: layers.rootfs, image }, "/", upper);
}

/** Lists the changes in and below the directory `path`, which both the writable layer and the image have. */
async function* changesIn(
  layers: Omit<RootfsLayers, "upper">,
  path: string,
  upper: FileHandle,
): AsyncGenerator<FileChange> {
  const entries = await readdir(pathOf(upper, "."), { withFileTypes: true });
  const inUpper = new Map(entries.map((entry) => [entry.name, entry]));
  const inImage = new Set(await namesIn(join(pathOf(layers.image, "."), path)));
  const inWhole = new Set(await namesIn(join(layers.rootfs, path)));
  const hidden = [...inImage].filter((name) => !inUpper.has(name) && !inWhole.has(name));
  for (const name of [...inUpper.keys(), ...hidden].toSorted()) {
    const place = join(path, name);
    const entry = inUpper.get(name);
    const isDeleted = !entry || (entry.isCharacterDevice() && (await isWhiteout(upper, name)));
    if (isDeleted) {
      if (inImage.has(name)) yield { kind: "D", path: place };
      continue;
    }
    yield { kind: inImage.has(name) ? "C" : "A", path: place };
    if (!entry.isDirectory()) continue;
    const directory = await openDirectory(pathOf(upper, name));
    if (!directory) continue;
    await using below = directory;
    yield* changesIn(layers, place, below);
  }
}

async function isWhiteout(directory: FileHandle, name: string): Promise<boolean> {
  try {
    return (await lstat(pathOf(directory, name))).rdev === 0;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return true;
    throw error;
  }
}

/** Returns no names when there is no directory at `path`. */
async function namesIn(path: string): Promise<string[]> {
  return await storing("find the container's changes", async () => {
    try {
      return (await lstat(path)).isDirectory() ? await readdir(path) : [];
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
      throw error;
    }
  });
}
