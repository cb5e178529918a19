/** Network namespaces that are held by a file instead of by a process. */
import { writeFile } from "node:fs/promises";

import { findTool, runCommand } from "@podfleet/oci/process/run-command";

const timeoutMs = 10_000;

/**
 * Makes a namespace with nothing but its loopback, which is up, and mounts it at `path`, which must not exist. Unmounted, it ends with
 * its last process.
 */
export async function makeNetworkNamespace(path: string): Promise<void> {
  await writeFile(path, "", { flag: "wx" });
  const loopbackUp = ["ip", "link", "set", "dev", "lo", "up"];
  await runCommand(findTool("unshare"), [`--net=${path}`, "--", ...loopbackUp], {
    timeoutMs,
    spanName: "unshare network",
  });
}
