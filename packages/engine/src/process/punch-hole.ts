import { libc, systemFailure } from "./libc.ts";

/** FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE of <linux/falloc.h>. */
const punch = 0x01 | 0x02;

/**
 * Gives back the disk space of a part of an open file. Its length and the place of every other byte stay; what was there reads as zeros.
 * @throws PodfleetError RUNTIME_FAILED; `details.errno` is EOPNOTSUPP on a file system that has no holes
 */
export function punchHole(descriptor: number, { from, to }: { from: number; to: number }): void {
  if (libc.fallocate(descriptor, punch, from, to - from) !== 0) throw systemFailure("punch a hole");
}
