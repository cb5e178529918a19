/**
 * Where tar works on a container's files: a mount namespace of its own, in which there is nothing but the host's programs,
 * read-only, and the one directory at `/files`. A symbolic link in the container's files that leads out of the directory leads
 * nowhere there, whenever it was put there, and so does `..`.
 */
import { lstat, mkdir, readlink, symlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { findTool } from "@podfleet/oci/process/run-command";

import { pathOf } from "./place.ts";

/** Where the directory is in the cell. */
const filesDirectory = "/files";
/** What of the host's programs and their libraries lies where. */
const programDirectories = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/**
 * `$1` the cell's root, `$2` names of the directories with programs; the rest is what to run. The directory is where it is run.
 * umount wants to see /proc, which has to be gone at the end: its links lead everywhere.
 */
const script = `
root=$1
names=$2
shift 2
mount --bind -o ro "$root" "$root"
for name in $names; do mount --bind -o ro "/$name" "$root/$name"; done
mount --no-canonicalize --bind . "$root/files"
mount --bind /proc "$root/proc"
cd "$root"
pivot_root . old
umount --lazy --no-mtab /old /proc
exec "$@"
`;

export interface CellCommand {
  readonly file: string;
  readonly args: string[];
  /** The open directory: it may be closed when the command has been started. */
  readonly cwd: string;
}

/** tar with `args` on the files of `directory`; `cell` is the path of a directory for nothing else. */
export async function tarInCell(
  cell: string,
  directory: FileHandle,
  args: readonly string[],
): Promise<CellCommand> {
  const names = await furnish(cell);
  const shell = [findTool("sh"), "-eu", "-c", script, "tar-cell", cell, names.join(" ")];
  return {
    file: findTool("unshare"),
    args: [
      ...["--mount", "--propagation", "private", "--", ...shell],
      ...["tar", "--directory", filesDirectory, ...args],
    ],
    cwd: pathOf(directory, "."),
  };
}

/** @returns the directories of the host to mount */
async function furnish(cell: string): Promise<string[]> {
  for (const name of ["files", "old", "proc"]) {
    await mkdir(join(cell, name), { recursive: true, mode: 0o755 });
  }
  const directories: string[] = [];
  for (const name of programDirectories) {
    const target = await findProgramDirectory(name);
    if (target === "directory") {
      await mkdir(join(cell, name), { recursive: true, mode: 0o755 });
      directories.push(name);
    } else if (target !== undefined) {
      await link(target.to, join(cell, name));
    }
  }
  return directories;
}

async function findProgramDirectory(
  name: string,
): Promise<"directory" | { readonly to: string } | undefined> {
  try {
    const stats = await lstat(`/${name}`);
    if (stats.isSymbolicLink()) return { to: await readlink(`/${name}`) };
    return stats.isDirectory() ? "directory" : undefined;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function link(to: string, path: string): Promise<void> {
  try {
    await symlink(to, path);
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
  }
}
