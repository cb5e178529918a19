import { PodfleetError } from "@podfleet/model/errors";

/** The root filesystem itself could not be opened. */
export function readFailed(rootfs: string): PodfleetError {
  return new PodfleetError(
    "STORAGE_FAILED",
    `Cannot read the container's root filesystem: nothing is at "${rootfs}"`,
  );
}
