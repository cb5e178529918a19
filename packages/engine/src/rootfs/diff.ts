/**
 * How a container's root filesystem differs from its image: read from the writable layer, which holds what was added and changed,
 * and a whiteout (a character device 0/0) for what was deleted. A directory that was deleted and made anew hides what the image
 * has in it; what is hidden is what the image has there and the mounted whole has not.
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, open, readdir } from "node:fs/promises";
import { join } from "node:path/posix";
import { Readable } from "node:stream";

import { hasErrno } from "@podfleet/base/errno";
import type { FileChange } from "@podfleet/model/file";
import type { ContainerId } from "@podfleet/model/ids";
import { initDestination } from "@podfleet/oci/spec/mounts";
import { storing } from "@podfleet/storage/file/storage-failure";
import { openDirectory, pathOf } from "@podfleet/storage/rootfs/place";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";

import type { EngineParts } from "../container/engine-parts.ts";
import { rootfsSource } from "./use-rootfs.ts";

/** See the transfer `diff` (model/transfer). */
export function rootfsDiff(parts: EngineParts, id: ContainerId): TransferSource {
  return rootfsSource(parts, { id, method: "diff" }, async (rootfs) => {
    const upper = await open(parts.storage.writableLayer(id), constants.O_DIRECTORY);
    try {
      const image = await parts.storage.openImage(id, parts.store.get(id).snapshot.imageId);
      return Readable.from(linesOf({ rootfs, upper, image }), { objectMode: false });
    } catch (error) {
      await upper.close();
      throw error;
    }
  });
}

interface Layers {
  /** Where both are mounted as one. */
  readonly rootfs: string;
  readonly upper: FileHandle;
  /** The root filesystem of the image alone. */
  readonly image: FileHandle;
}

async function* linesOf({ rootfs, upper, image }: Layers): AsyncGenerator<Buffer> {
  await using _image = image;
  await using root = upper;
  for await (const change of changesIn({ rootfs, image }, "/", root)) {
    if (!notTheUsers.has(change.path)) yield Buffer.from(`${JSON.stringify(change)}\n`);
  }
}

/** What starting a container makes; podman leaves it out too. */
const notTheUsers: ReadonlySet<string> = new Set([
  ...["/dev", "/proc", "/sys", "/run", "/run/.containerenv", "/run/secrets", initDestination],
  ...["/etc/hostname", "/etc/hosts", "/etc/mtab", "/etc/resolv.conf"],
]);

/** Changes in the directory `path` and below, which both the writable layer and the image have. */
async function* changesIn(
  layers: Omit<Layers, "upper">,
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

/** None where there is no directory. */
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
