/** Packs and unpacks files on this machine. */
import { realpath, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { PodfleetError } from "@podfleet/model/errors";
import { create, extract } from "tar";

import { isContents } from "./paths.ts";
import type { Destination, FileKind, Source } from "./paths.ts";

export interface Opened extends Source {
  /** A tar archive. */
  readonly archive: AsyncIterable<Uint8Array>;
  /** First part of every entry's name. */
  readonly root: string;
}

/** @throws PodfleetError PATH_NOT_FOUND */
export async function openLocal(path: string): Promise<Opened> {
  const kind = await findKind(path);
  if (!kind) throw notFound(path);
  const real = await realpath(path);
  const contents = isContents(path);
  // tar would read a name that begins with "@" as an archive.
  const root = contents ? "." : `./${basename(real)}`;
  const packed = create({ cwd: contents ? real : dirname(real) }, [root]);
  return { kind, name: contents ? "." : basename(resolve(path)), root, archive: packed };
}

export async function findLocal(path: string): Promise<Destination> {
  const found = await findKind(path);
  return { path, found, resolved: found ? await realpath(path) : resolve(path) };
}

/** Unpacks an archive in a directory, never outside of it. Owners are kept when this process is root and `keepOwners` is set. */
export async function unpackLocal(
  archive: AsyncIterable<Uint8Array>,
  { directory, keepOwners }: { readonly directory: string; readonly keepOwners: boolean },
): Promise<void> {
  if ((await findKind(directory)) !== "directory") throw notFound(directory);
  const preserveOwner = keepOwners && process.getuid?.() === 0;
  const target = extract({ cwd: directory, preserveOwner, strict: true });
  await pipeline(Readable.from(buffersOf(archive)), target);
}

/** Converts chunks to Buffer, the only type that tar reads. */
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
