/**
 * tar on a container's files, in a private mount namespace that holds the host's programs, read-only, and one directory of the
 * container at `/files`. A symbolic link in the container's files, or a `..`, that leads out of the directory leads nowhere there,
 * even one that the container makes while tar runs.
 */
import { lstat, mkdir, readlink, symlink } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";

import { hasErrno } from "@podfleet/base/errno";
import { findTool, runCommand } from "@podfleet/oci/process/run-command";
import { streamCommand } from "@podfleet/oci/process/stream-command";

import { pathOf } from "./place.ts";

/** How long `extract` may take. */
export const extractTimeoutMs = 30 * 60_000;

/** Where the container's directory is mounted in the namespace. */
const filesDirectory = "/files";
/** Directories in which the host may have its programs and their libraries. */
const programDirectories = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];

const createArguments = [
  ...["--create", "--file", "-", "--format", "posix", "--numeric-owner", "--one-file-system"],
  ...["--xattrs", "--xattrs-include=*", "--pax-option=delete=atime,delete=ctime"],
];
/** tar ends with 1 when a file has changed, or gone, while it was read. */
const createExitCodes = [1];

/** The attributes of the overlay file system itself are not for users. */
const extractArguments = [
  ...["--extract", "--file", "-", "--numeric-owner", "--same-owner", "--preserve-permissions"],
  ...["--xattrs", "--xattrs-include=*", "--xattrs-exclude=trusted.*"],
];

/**
 * Arguments: `$1` the namespace's root, `$2` the names of the directories with programs, then the command. The working directory is the
 * container's. umount needs /proc, which has to be gone before the command runs: its links lead everywhere.
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

export interface ArchiveOptions {
  /** Further arguments of tar: transformations, and the names to archive. */
  readonly args: readonly string[];
  readonly signal: AbortSignal;
}

export class IsolatedTar {
  readonly #root: string;

  /** @param root path of a directory for nothing else, made when it is missing: the root of each namespace */
  constructor(root: string) {
    this.#root = root;
  }

  /** Streams an archive of files in `directory`, which may be closed when this resolves; owners, modes, times and attributes are kept. */
  async create(directory: FileHandle, { args, signal }: ArchiveOptions): Promise<Readable> {
    const command = await this.#command(directory, [...createArguments, ...args]);
    const { file, args: all, cwd } = command;
    const options = { spanName: "tar create", cwd, signal, goodExitCodes: createExitCodes };
    return streamCommand(file, all, options);
  }

  /**
   * Unpacks the archive `input` into `directory`, with the owners, modes, times and attributes that it says.
   * @throws PodfleetError RUNTIME_FAILED, RUNTIME_TIMEOUT
   */
  async extract(directory: FileHandle, input: Readable): Promise<void> {
    const { file, args, cwd } = await this.#command(directory, extractArguments);
    const options = { timeoutMs: extractTimeoutMs, spanName: "tar extract", input, cwd };
    await runCommand(file, args, options);
  }

  async #command(directory: FileHandle, args: readonly string[]): Promise<TarCommand> {
    const names = await makeRoot(this.#root);
    const shell = [findTool("sh"), "-eu", "-c", script, "tar", this.#root, names.join(" ")];
    return {
      file: findTool("unshare"),
      args: [
        ...["--mount", "--propagation", "private", "--", ...shell],
        ...["tar", "--directory", filesDirectory, ...args],
      ],
      cwd: pathOf(directory, "."),
    };
  }
}

interface TarCommand {
  readonly file: string;
  readonly args: string[];
  readonly cwd: string;
}

/** Makes the mount points and symbolic links in the namespace's root; returns the host's directories to mount there. */
async function makeRoot(root: string): Promise<string[]> {
  for (const name of ["files", "old", "proc"]) {
    await mkdir(join(root, name), { recursive: true, mode: 0o755 });
  }
  const directories: string[] = [];
  for (const name of programDirectories) {
    const target = await findProgramDirectory(name);
    if (target === "directory") {
      await mkdir(join(root, name), { recursive: true, mode: 0o755 });
      directories.push(name);
    } else if (target !== undefined) {
      await link(target.to, join(root, name));
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
