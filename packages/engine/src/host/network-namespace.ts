/** Network namespaces that are held by a file instead of by a process. */
import { rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { hasErrno } from "@podfleet/base/errno";

import { findTool, runCommand } from "../oci/run-command.ts";

const timeoutMs = 10_000;

/** Makes a namespace with nothing but its loopback, which is up; `path` must not exist. */
export async function makeNetworkNamespace(path: string): Promise<void> {
  await writeFile(path, "", { flag: "wx" });
  const loopbackUp = ["ip", "link", "set", "dev", "lo", "up"];
  await runCommand(findTool("unshare"), [`--net=${path}`, "--", ...loopbackUp], {
    timeoutMs,
    spanName: "unshare network",
  });
}

/** Lets go of it; it ends with its last process. Harmless when there is none at `path`. */
export async function releaseNetworkNamespace(path: string): Promise<void> {
  if (await isMounted(path)) {
    const options = { timeoutMs, spanName: "umount namespace" };
    await runCommand(findTool("umount"), [path], options);
  }
  await rm(path, { force: true });
}

/** A namespace's file has the device number of the kernel's own file system. */
async function isMounted(path: string): Promise<boolean> {
  try {
    const [file, parent] = await Promise.all([stat(path), stat(dirname(path))]);
    return file.dev !== parent.dev;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}
