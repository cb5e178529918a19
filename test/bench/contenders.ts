/** podfleet and its competitors, each with a busybox container of its own. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { busyboxArchive } from "@podfleet/testkit/busybox-image";

import type { Fleet, FleetHost } from "../fleet/fleet.ts";
import type { Contender } from "./contender.ts";
import { openFloor } from "./floor.ts";
import { openPodfleet } from "./podfleet.ts";
import { openPodman } from "./podman.ts";

const run = promisify(execFile);

export interface Contenders extends AsyncDisposable {
  readonly floor: Contender;
  readonly podfleet: Contender;
  /** Absent where podman is not installed. */
  readonly podman: Contender | undefined;
}

/** @param fleet disposed of by the caller */
export async function openContenders(fleet: Fleet, host: FleetHost): Promise<Contenders> {
  await using stack = new AsyncDisposableStack();
  const archive = await busyboxArchive();
  const rootfs = await unpack(archive);
  stack.defer(async () => await rm(rootfs, { recursive: true }));
  const floor = stack.use(await openFloor(rootfs));
  const podman = await openPodman(archive);
  if (podman) stack.use(podman);
  else console.log("podman is not installed: it is left out");
  const owned = stack.move();
  return {
    floor,
    podfleet: openPodfleet(fleet, host),
    podman,
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** @returns a new folder with the files of the archive's only layer */
async function unpack(archive: string): Promise<string> {
  const folder = await mkdtemp("/tmp/podfleet-bench-rootfs-");
  await run("tar", ["-xf", archive, "-C", folder, "layer.tar"]);
  await run("tar", ["-xf", join(folder, "layer.tar"), "-C", folder]);
  await rm(join(folder, "layer.tar"));
  return folder;
}
