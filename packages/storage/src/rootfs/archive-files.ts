/** Tar archives of what is in a root filesystem, whose container may be changing it meanwhile. */
import { basename } from "node:path/posix";
import type { Readable } from "node:stream";

import type { IsolatedTar } from "./isolated-tar.ts";
import { findPlace, openPlace } from "./place.ts";

/**
 * Streams an archive of the file or directory at `path`; undefined when nothing is there. Entries begin with the last part of `path`;
 * with a path that ends in `/.`, with `.`.
 */
export async function archivePath(
  tar: IsolatedTar,
  { rootfs, path }: { readonly rootfs: string; readonly path: string },
  signal: AbortSignal,
): Promise<Readable | undefined> {
  const place = await findPlace(rootfs, path);
  if (!place) return undefined;
  await using parent = place.parent;
  if (place.stat.kind !== "directory") {
    const renamed = ["--transform", `flags=r;s,^.*$,${replacement(basename(path))},`];
    return await tar.create(parent, { args: [...renamed, `./${place.name}`], signal });
  }
  const directory = await openPlace(place);
  if (!directory) return undefined;
  await using opened = directory;
  const name = entryName(path);
  const renamed = name === "." ? [] : ["--transform", `flags=rh;s,^\\.,${replacement(name)},`];
  return await tar.create(opened, { args: [...renamed, "."], signal });
}

/**
 * Streams an archive of the whole root filesystem, without what is mounted in it; undefined when it is not mounted any more. Entries are
 * named as in an image's layer: `etc/passwd`, not `./etc/passwd`.
 */
export async function archiveRootfs(
  tar: IsolatedTar,
  rootfs: string,
  signal: AbortSignal,
): Promise<Readable | undefined> {
  const place = await findPlace(rootfs, "/");
  if (!place) return undefined;
  await using root = place.parent;
  const args = ["--transform", String.raw`flags=rh;s,^\./,,`, "."];
  return await tar.create(root, { args, signal });
}

/** The name that the archive's entries begin with. */
function entryName(path: string): string {
  return path.endsWith("/.") ? "." : basename(path) || ".";
}

/** Escapes `name` for the right side of tar's --transform, which follows sed's rules. */
function replacement(name: string): string {
  return name.replaceAll(/[\\&,]/g, String.raw`\$&`);
}
