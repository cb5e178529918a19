/**
 * Whiteouts, the deletions in a layer. In a tar stream (OCI image spec, "Whiteouts") `.wh.NAME` deletes NAME of the layers below, and
 * `.wh..wh..opq` deletes everything that they have in the directory. An overlay file system expects a character device 0/0
 * called NAME, and the attribute `trusted.overlay.opaque` on the directory.
 */
import type { Stats } from "node:fs";
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

import { type Header, pack } from "tar-stream";

import { extractTar } from "../archive/extract-tar.ts";

const prefix = ".wh.";
/** Prefix of names that do not delete a file: the opaque marker, and leftovers of aufs. */
const markerPrefix = ".wh..wh.";
const opaqueMarker = ".wh..wh..opq";

/** Converts the whiteouts below `directory` from the tar stream's form to the overlay file system's. */
export async function convertWhiteouts(directory: string): Promise<void> {
  const entries = await takeWhiteouts(directory, { path: ".", opaque: false });
  if (entries.length === 0) return;
  // Node can make neither devices nor extended attributes, so one tar makes all of them.
  const archive = pack();
  for (const entry of entries) archive.entry(entry);
  archive.finalize();
  await extractTar(Readable.from(archive), directory, ["--xattrs-include=trusted.overlay.opaque"]);
}

type OverlayEntry = Pick<Header, "name" | "type" | "mode"> & Partial<Header>;

interface Place {
  /** The path, relative to the layer's directory. */
  readonly path: string;
  /** Whether the directory hides everything that the layers below have in it. */
  readonly opaque: boolean;
}

/** Deletes the whiteouts at and below `place`, and returns the entries that have to replace them. */
async function takeWhiteouts(root: string, place: Place): Promise<OverlayEntry[]> {
  const directory = join(root, place.path);
  const attributes = await lstat(directory);
  const children = await readdir(directory, { withFileTypes: true });
  const names = new Set(children.map((child) => child.name));
  const markers = [...names].filter((name) => name.startsWith(prefix));
  for (const marker of markers) await rm(join(directory, marker), { recursive: true });
  const opaque = place.opaque || markers.includes(opaqueMarker);
  const deleted = markers
    .filter((marker) => !marker.startsWith(markerPrefix))
    .map((marker) => marker.slice(prefix.length))
    .filter((name) => !names.has(name));
  const touched = markers.length > 0 || opaque;
  const entries = [
    ...(touched ? [directoryEntry(place.path, attributes, opaque)] : []),
    ...deleted.map((name) => deletionEntry(join(place.path, name))),
  ];
  for (const child of children) {
    if (!child.isDirectory() || markers.includes(child.name)) continue;
    const inner = {
      path: join(place.path, child.name),
      opaque: markers.includes(`${prefix}${child.name}`),
    };
    entries.push(...(await takeWhiteouts(root, inner)));
  }
  return entries;
}

/** Makes the directory's entry, with its attributes from before its whiteouts were deleted. */
function directoryEntry(path: string, attributes: Stats, opaque: boolean): OverlayEntry {
  return {
    name: path,
    type: "directory",
    mode: attributes.mode & 0o7777,
    // Plain tar headers have no room for large ids, fractions of a second and attributes.
    pax: {
      uid: String(attributes.uid),
      gid: String(attributes.gid),
      mtime: String(attributes.mtimeMs / 1000),
      ...(opaque ? { "SCHILY.xattr.trusted.overlay.opaque": "y" } : {}),
    },
  };
}

function deletionEntry(name: string): OverlayEntry {
  const type = "character-device";
  return { name, type, mode: 0, devmajor: 0, devminor: 0, mtime: new Date(0) };
}
