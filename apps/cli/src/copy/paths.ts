/** Source and destination of `podfleet cp`, by podman's rules, which are those of cp(1). */
import { posix } from "node:path";

import { PodfleetError } from "@podfleet/model/errors";

/** A parsed operand: `-`, a path on this machine, or `CONTAINER:PATH`. */
export type Place =
  | { readonly type: "stream" }
  | { readonly type: "local"; readonly path: string }
  /** `path` is absolute in the container's root filesystem. */
  | { readonly type: "container"; readonly container: string; readonly path: string };

/** An operand that begins with `/` or `.` is always a path on this machine. */
export function parsePlace(text: string): Place {
  if (text === "-") return { type: "stream" };
  const at = text.indexOf(":");
  if (at <= 0 || /^[./]/.test(text)) return { type: "local", path: text };
  const path = text.slice(at + 1);
  const absolute = path.startsWith("/") ? path : `/${path}`;
  return { type: "container", container: text.slice(0, at), path: absolute };
}

/** Whether a path means the contents of a directory instead of the directory. */
export function isContents(path: string): boolean {
  return path === "." || path.endsWith("/.");
}

export type FileKind = "directory" | "file";

export interface Source {
  readonly kind: FileKind;
  /** Last part of the path; `.` for the contents of a directory. */
  readonly name: string;
}

export interface Destination {
  /** Path as the caller gave it. */
  readonly path: string;
  /** Undefined when nothing is at the path. */
  readonly found: FileKind | undefined;
  /** Real path without symbolic links, when something is there. */
  readonly resolved: string;
}

export interface Target {
  /** Must exist. */
  readonly directory: string;
  /** New name of the first entry; `.` unpacks contents into the directory itself. */
  readonly name: string;
}

/** @throws PodfleetError INVALID_INPUT when the source cannot be copied to the destination */
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
