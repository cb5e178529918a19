/** What `cp` names: `-`, a path of this machine, or `CONTAINER:PATH`. */
export type Place =
  | { readonly type: "stream" }
  | { readonly type: "local"; readonly path: string }
  /** `path` is absolute: it begins at the container's root. */
  | { readonly type: "container"; readonly container: string; readonly path: string };

/** podman's rule: what begins with `/` or `.` is a path of this machine, whatever else is in it. */
export function parsePlace(text: string): Place {
  if (text === "-") return { type: "stream" };
  const at = text.indexOf(":");
  if (at <= 0 || /^[./]/.test(text)) return { type: "local", path: text };
  const path = text.slice(at + 1);
  const absolute = path.startsWith("/") ? path : `/${path}`;
  return { type: "container", container: text.slice(0, at), path: absolute };
}

/** Whether a path names what is in a directory, rather than the directory. */
export function isContents(path: string): boolean {
  return path === "." || path.endsWith("/.");
}
