import { architectures } from "../spec/seccomp-rules.ts";
import { findInRootfs } from "./rootfs-path.ts";

/**
 * Tells whether the root filesystem has programs of the machine's older architecture, by the loader that they need. The runtime takes
 * 5 ms longer to build a seccomp filter for two architectures, at each start, so it builds one only for such a root filesystem.
 */
export async function hasOlderPrograms(rootfs: string, architecture: string): Promise<boolean> {
  const loaders = architectures[architecture]?.compatible?.loaders ?? [];
  const found = await Promise.all(loaders.map((loader) => findInRootfs(rootfs, loader)));
  return found.some((loader) => loader !== undefined);
}
