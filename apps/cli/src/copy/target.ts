/** Where copied files go, and what they are called there: podman's rules, which are those of cp(1). */
import { posix } from "node:path";

import { PodfleetError } from "@podfleet/model/errors";

export type FileKind = "directory" | "file";

export interface Source {
  readonly kind: FileKind;
  /** Its last part: `.` when the contents of a directory are meant. */
  readonly name: string;
}

export interface Destination {
  /** As the caller named it. */
  readonly path: string;
  /** What is there; undefined for nothing. */
  readonly found: FileKind | undefined;
  /** Where it is, without symbolic links, when something is there. */
  readonly resolved: string;
}

export interface Target {
  /** It has to be there. */
  readonly directory: string;
  /** What the first entry becomes; `.` puts contents into the directory itself. */
  readonly name: string;
}

/** @throws PodfleetError INVALID_INPUT when what is there does not go with what is copied */
export function targetOf({ kind, name }: Source, { path, found, resolved }: Destination): Target {
  if (found === "directory") return { directory: resolved, name };
  if (found === "file") {
    if (kind === "directory") throw refused(path, "it is a file, must be a directory");
    return { directory: posix.dirname(resolved), name: posix.basename(resolved) };
  }
  if (kind === "file" && path.endsWith("/")) throw refused(path, "no such directory");
  const plain = path.replace(/\/+\.?$/, "") || "/";
  return { directory: posix.dirname(plain), name: posix.basename(plain) };
}

function refused(path: string, why: string): PodfleetError {
  return new PodfleetError("INVALID_INPUT", `Cannot copy to ${JSON.stringify(path)}: ${why}`, {
    details: { path },
  });
}
