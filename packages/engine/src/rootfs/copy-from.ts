import { basename } from "node:path/posix";
import type { Readable } from "node:stream";

import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { streamCommand } from "@podfleet/oci/process/stream-command";
import { findPlace, openPlace } from "@podfleet/storage/rootfs/place";
import { tarInCell } from "@podfleet/storage/rootfs/tar-cell";
import { createArguments, createExitCodes } from "@podfleet/storage/rootfs/tar-options";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";

import type { EngineParts } from "../container/engine-parts.ts";
import { rootfsSource } from "./use-rootfs.ts";

/** See the transfer `copy` (model/transfer). Fails with PATH_NOT_FOUND. */
export function copyFrom(
  parts: EngineParts,
  { id, path }: { readonly id: ContainerId; readonly path: string },
): TransferSource {
  return rootfsSource(parts, { id, method: "copyFrom" }, async (rootfs, signal) => {
    const place = await findPlace(rootfs, path);
    if (!place) throw pathNotFound(parts, id, path);
    await using parent = place.parent;
    if (place.stat.kind !== "directory") {
      const renamed = ["--transform", `flags=r;s,^.*$,${replacement(basename(path))},`];
      return await stream(parts, { directory: parent, signal }, [...renamed, `./${place.name}`]);
    }
    const directory = await openPlace(place);
    if (!directory) throw pathNotFound(parts, id, path);
    await using opened = directory;
    const name = nameOf(path);
    const renamed = name === "." ? [] : ["--transform", `flags=rh;s,^\\.,${replacement(name)},`];
    return await stream(parts, { directory: opened, signal }, [...renamed, "."]);
  });
}

/** What the archive's entries begin with. */
function nameOf(path: string): string {
  return path.endsWith("/.") ? "." : basename(path) || ".";
}

/** `name` in the place of what an expression of tar's matches: sed's rules. */
function replacement(name: string): string {
  return name.replaceAll(/[\\&,]/g, String.raw`\$&`);
}

async function stream(
  parts: EngineParts,
  { directory, signal }: { directory: Parameters<typeof tarInCell>[1]; signal: AbortSignal },
  options: readonly string[],
): Promise<Readable> {
  const all = [...createArguments, ...options];
  const { file, args, cwd } = await tarInCell(parts.paths.tarCell, directory, all);
  const goodExitCodes = createExitCodes;
  return streamCommand(file, args, { spanName: "tar create", cwd, signal, goodExitCodes });
}

export function pathNotFound(parts: EngineParts, id: ContainerId, path: string): PodfleetError {
  const { name } = parts.store.get(id).snapshot;
  return new PodfleetError(
    "PATH_NOT_FOUND",
    `Cannot find ${JSON.stringify(path)} in container "${name}": nothing is at that path`,
    { details: { container: name, path } },
  );
}
