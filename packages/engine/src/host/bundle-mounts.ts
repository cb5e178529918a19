import { readdir, readFile, rm } from "node:fs/promises";

import { hasErrno } from "@podfleet/base/errno";
import { unmount } from "@podfleet/oci/process/mount";

/**
 * Takes back what is mounted in a bundle: the network namespace of a restored container, and what CRIU leaves when it is killed,
 * the host's cgroup hierarchies among it. Harmless when there is nothing.
 */
export async function releaseBundleMounts(bundle: string): Promise<void> {
  if (!(await mayHoldMounts(bundle))) return;
  const paths = parseMountPoints(await readFile("/proc/self/mountinfo", "utf8"));
  // What is mounted last is on top.
  for (const path of paths.filter((each) => each.startsWith(`${bundle}/`)).toReversed()) {
    unmount(path);
  }
  await rm(`${bundle}/netns`, { force: true });
}

async function mayHoldMounts(bundle: string): Promise<boolean> {
  try {
    const names = await readdir(bundle);
    return names.some((name) => name === "netns" || name.startsWith(".criu."));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** Reads the format of proc_pid_mountinfo(5), in which some characters are octal escapes. */
function parseMountPoints(mountinfo: string): string[] {
  return mountinfo.split("\n").flatMap((line) => {
    const point = line.split(" ")[4];
    return point === undefined ? [] : [point.replaceAll(/\\([0-7]{3})/g, unescaped)];
  });
}

function unescaped(_escape: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 8));
}
