/**
 * Places in a root filesystem that its container may be changing. A path is resolved as a process in the container would resolve it.
 * Then the directory is opened part by part, never through a symbolic link, so that a link that the container puts in the way in
 * between leads nowhere.
 */
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path/posix";

import { hasErrno } from "@podfleet/base/errno";
import type { FileStat } from "@podfleet/model/file";
import { resolveInRootfs } from "@podfleet/oci/rootfs/rootfs-path";

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** How often a path is resolved again when it has changed meanwhile. */
const attemptsMax = 4;

export interface Place {
  /** The open directory that holds the place (the root holds itself), for the caller to close. */
  readonly parent: FileHandle;
  /** The name in the directory; `.` for the root. */
  readonly name: string;
  readonly stat: FileStat;
}

/** Finds the place at `path`; undefined when nothing is there, or the path keeps changing. */
export async function findPlace(rootfs: string, path: string): Promise<Place | undefined> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const resolved = (await resolveInRootfs(rootfs, path)).slice(rootfs.length) || "/";
    const parent = await openBelow(rootfs, dirname(resolved));
    if (!parent) continue;
    const name = basename(resolved) || ".";
    const found = await findStats(pathOf(parent, name));
    const isChanged = found?.isSymbolicLink() === true && attempt + 1 < attemptsMax;
    if (found && !isChanged) return { parent, name, stat: statOf(resolved, found) };
    await parent.close();
    if (!isChanged) return undefined;
  }
  return undefined;
}

/** Opens the directory at `place`, for the caller to close; undefined when it is not a directory. */
export async function openPlace({ parent, name }: Place): Promise<FileHandle | undefined> {
  return await openDirectory(pathOf(parent, name));
}

/** Returns a path of `name` in the open directory that stays right when the directory is moved. */
export function pathOf(directory: FileHandle, name: string): string {
  return `/proc/${process.pid}/fd/${directory.fd}/${name}`;
}

/** Opens the directory at `path`; undefined when it is not a directory, or is a symbolic link to one. */
export async function openDirectory(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, directoryFlags);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

async function openBelow(rootfs: string, path: string): Promise<FileHandle | undefined> {
  let directory = await openDirectory(rootfs);
  for (const part of path.split("/").filter(Boolean)) {
    if (!directory) return undefined;
    await using above = directory;
    directory = await openDirectory(pathOf(above, part));
  }
  return directory;
}

async function findStats(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

function statOf(path: string, stats: Stats): FileStat {
  return {
    path: join("/", path),
    kind: kindOf(stats),
    sizeBytes: stats.size,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    modifiedAt: stats.mtime.toISOString(),
  };
}

function kindOf(stats: Stats): FileStat["kind"] {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  return stats.isSymbolicLink() ? "link" : "other";
}
