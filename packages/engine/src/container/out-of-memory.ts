import { existsSync } from "node:fs";
import { join } from "node:path";

/** Whether the kernel killed a process of the container for want of memory: the monitor then leaves a file in the bundle. */
export function wasOutOfMemory(bundle: string): boolean {
  return existsSync(join(bundle, "oom"));
}
