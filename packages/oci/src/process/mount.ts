import { constants } from "node:os";

import koffi from "koffi";

import { libc, systemFailure } from "./libc.ts";

/** MNT_DETACH of <sys/mount.h>: the mount leaves the mount table at once, and ends when no process uses it any more. */
const detach = 2;

export interface OverlayMount {
  /** The directory that relative paths in the options start from. */
  readonly base: string;
  readonly rootfs: string;
  /** The kernel's option string: at most a page, 4095 bytes. */
  readonly options: string;
}

/**
 * Mounts an overlay. The working directory of the whole process is changed for the call; no other JavaScript runs meanwhile, and the
 * engine's other paths are absolute.
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
 * Unmounts a file system. One that a process of the host uses leaves the mount table at once, and ends when that process lets go.
 * @throws PodfleetError RUNTIME_FAILED
 */
export function unmount(path: string): void {
  if (libc.umount2(path, 0) === 0) return;
  const inUse = koffi.errno() === constants.errno.EBUSY;
  if (inUse && libc.umount2(path, detach) === 0) return;
  throw systemFailure(`unmount "${path}"`);
}
