import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { extract, type Header, pack } from "tar-stream";

export interface EntryChanges {
  /** First part of every entry's name. */
  readonly from: string;
  /** Replacement for it. */
  readonly to: string;
  /** Set root as the owner: owners of this machine mean nothing in a container. */
  readonly ownedByRoot: boolean;
}

/** Renames the entries of a tar archive while it is read. */
export async function* mapEntries(
  archive: AsyncIterable<Uint8Array>,
  changes: EntryChanges,
): AsyncGenerator<Uint8Array, void> {
  const entries = extract();
  const mapped = pack();
  const feeding = pipeline(Readable.from(archive), entries);
  const work = async (): Promise<void> => {
    for await (const entry of entries) {
      const sink = mapped.entry(changed(entry.header, changes));
      await pipeline(entry as unknown as Readable, sink);
    }
    mapped.finalize();
    await feeding;
  };
  const working = work().catch((error: unknown) => {
    mapped.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    for await (const chunk of mapped) yield chunk as Uint8Array;
  } finally {
    mapped.destroy();
    entries.destroy();
    // Safe to ignore: the archive it feeds has reported the failure.
    await feeding.catch(() => undefined);
    await working;
  }
}

function changed(header: Header, { from, to, ownedByRoot }: EntryChanges): Header {
  const isLink = header.type === "link";
  return {
    ...header,
    name: renamed(header.name, from, to),
    ...(isLink && header.linkname ? { linkname: renamed(header.linkname, from, to) } : {}),
    ...(ownedByRoot ? { uid: 0, gid: 0, uname: "", gname: "" } : {}),
    pax: attributesOf(header.pax),
  } as Header;
}

/** Keeps only the extended attributes that the plain header lacks: names there would override the new ones. */
function attributesOf(pax: Header["pax"]): Record<string, string> | null {
  const kept = Object.entries(pax ?? {}).filter(
    ([key]) => key === "mtime" || key.startsWith("SCHILY.xattr."),
  );
  return kept.length > 0 ? Object.fromEntries(kept) : null;
}

function renamed(name: string, from: string, to: string): string {
  const [path, base] = [withoutDot(name), withoutDot(from)];
  if (base !== "" && path !== base && !path.startsWith(`${base}/`)) return name;
  const rest = path.slice(base.length).replace(/^\//, "");
  const end = name.endsWith("/") ? "/" : "";
  return rest === "" ? `${to}${end}` : `${to}/${rest}`;
}

/** `./a/b` becomes `a/b`; `.` and `./` become empty. */
function withoutDot(name: string): string {
  return name.replace(/^\.(\/|$)/, "");
}
