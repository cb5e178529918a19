import { constants } from "node:os";

import koffi from "koffi";

import { libc, systemFailure } from "./libc.ts";

/** MNT_DETACH of <sys/mount.h>: out of the mount table at once, gone when nobody uses it any more. */
const detach = 2;

export interface OverlayMount {
  /** Directory that relative paths in the options start from. */
  readonly base: string;
  readonly rootfs: string;
  /** The kernel's option string: at most a page, 4095 bytes. */
  readonly options: string;
}

/**
 * The working directory is the process's, so it is changed for the one call; no other JavaScript runs meanwhile, and the
 * engine's paths are absolute.
 * @throws PodfleetError RUNTIME_FAILED
 */
export function mountOverlay({ base, rootfs, options }: OverlayMount): void {
  const previous = process.cwd();
  process.chdir(base);
  try {
    if (libc.mount("overlay", rootfs, "overlay", 0, options) !== 0) {
      throw systemFailure(`mount an overlay at "${rootfs}"`);
    }
  } finally {
    process.chdir(previous);
  }
}

/**
 * Where a process of the host still uses it, it is taken out of the mount table at once and goes when that process lets go.
 * @throws PodfleetError RUNTIME_FAILED
 */
export function unmount(path: string): void {
  if (libc.umount2(path, 0) === 0) return;
  const inUse = koffi.errno() === constants.errno.EBUSY;
  if (inUse && libc.umount2(path, detach) === 0) return;
  throw systemFailure(`unmount "${path}"`);
}
