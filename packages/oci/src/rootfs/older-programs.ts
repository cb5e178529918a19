import { architectures } from "../spec/seccomp-rules.ts";
import { findInRootfs } from "./rootfs-path.ts";

/**
 * Whether the root filesystem has programs of the machine's older architecture, by the loader that they need. A filter for
 * two architectures takes the runtime 5 ms longer to build, at each start, so it is made only where it is of use.
 */
export async function hasOlderPrograms(rootfs: string, architecture: string): Promise<boolean> {
  const loaders = architectures[architecture]?.compatible?.loaders ?? [];
  const found = await Promise.all(loaders.map((loader) => findInRootfs(rootfs, loader)));
  return found.some((loader) => loader !== undefined);
}
