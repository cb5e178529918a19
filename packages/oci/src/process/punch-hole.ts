import { libc, systemFailure } from "./libc.ts";

export interface Hole {
  readonly from: number;
  readonly to: number;
}

/** FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE of <linux/falloc.h>. */
const punch = 0x01 | 0x02;

/**
 * Gives back the disk space of a part of an open file. Its length and the place of every other byte stay; what was there reads as
 * zeros. It blocks the thread, on ext4 for about 0.3 ms a MiB.
 * @throws PodfleetError RUNTIME_FAILED; `details.errno` is EOPNOTSUPP on a file system that has no holes
 */
export function punchHole(descriptor: number, { from, to }: Hole): void {
  if (libc.fallocate(descriptor, punch, from, to - from) !== 0) throw systemFailure("punch a hole");
}

/** The same, by another thread; the file must stay open until it resolves. */
export async function punchLargeHole(descriptor: number, { from, to }: Hole): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  libc.fallocate.async(descriptor, punch, from, to - from, (error: unknown, result: number) =>
    error ? reject(error) : resolve(result),
  );
  // The error number is the other thread's: the same call here says what it is.
  if ((await promise) !== 0) punchHole(descriptor, { from, to });
}
