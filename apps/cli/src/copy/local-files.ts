/** The ends of a copy on this machine. */
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { PodfleetError } from "@podfleet/model/errors";
import { create, extract } from "tar";

import { isContents } from "./place.ts";
import type { Destination, FileKind, Source } from "./target.ts";

export interface Opened extends Source {
  /** A tar archive. */
  readonly archive: AsyncIterable<Uint8Array>;
  /** What its entries begin with. */
  readonly root: string;
}

/** @throws PodfleetError PATH_NOT_FOUND */
export async function openLocal(path: string): Promise<Opened> {
  const kind = await findKind(path);
  if (!kind) throw notFound(path);
  const real = await realpath(path);
  const contents = isContents(path);
  // tar takes a name that begins with "@" for an archive's.
  const root = contents ? "." : `./${basename(real)}`;
  const packed = create({ cwd: contents ? real : dirname(real) }, [root]);
  return { kind, name: contents ? "." : basename(resolve(path)), root, archive: packed };
}

export async function findLocal(path: string): Promise<Destination> {
  const found = await findKind(path);
  return { path, found, resolved: found ? await realpath(path) : resolve(path) };
}

/**
 * Unpacks an archive in a directory. Nothing in it leads out of the directory.
 * @param keepOwners as far as this process may give files away
 */
export async function unpackLocal(
  archive: AsyncIterable<Uint8Array>,
  { directory, keepOwners }: { readonly directory: string; readonly keepOwners: boolean },
): Promise<void> {
  if ((await findKind(directory)) !== "directory") throw notFound(directory);
  const preserveOwner = keepOwners && process.getuid?.() === 0;
  const target = extract({ cwd: directory, preserveOwner, strict: true });
  await pipeline(Readable.from(buffersOf(archive)), target);
}

/** tar reads nothing else. */
async function* buffersOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const { buffer, byteOffset, byteLength } of bytes) {
    yield Buffer.from(buffer, byteOffset, byteLength);
  }
}

async function findKind(path: string): Promise<FileKind | undefined> {
  try {
    return (await stat(path)).isDirectory() ? "directory" : "file";
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function notFound(path: string): PodfleetError {
  return new PodfleetError(
    "PATH_NOT_FOUND",
    `Cannot copy ${JSON.stringify(path)}: no such file or directory on this machine`,
    { details: { path } },
  );
}
