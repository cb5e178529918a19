/** The host's device nodes, which a privileged container gets. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";

import type { RuntimeDevice } from "../spec/runtime-spec.ts";

/** Directories of which each container has its own. */
const ownDirectories = new Set(["/dev/pts", "/dev/shm", "/dev/mqueue"]);
/** Devices that the OCI runtime makes in each container. */
const ownDevices = new Set(["console", "full", "null", "ptmx", "random", "tty", "urandom", "zero"]);

export async function readHostDevices(directory = "/dev"): Promise<RuntimeDevice[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const devices = await Promise.all(
    entries.map(async (entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return ownDirectories.has(path) ? [] : await readHostDevices(path);
      const isDevice = entry.isCharacterDevice() || entry.isBlockDevice();
      const isOwn = directory === "/dev" && ownDevices.has(entry.name);
      return isDevice && !isOwn ? await describeDevice(path) : [];
    }),
  );
  return devices.flat();
}

async function describeDevice(path: string): Promise<RuntimeDevice[]> {
  try {
    const stats = await lstat(path);
    const { uid, gid, rdev } = stats;
    const type = stats.isBlockDevice() ? "b" : "c";
    return [{ path, type, ...deviceNumbers(rdev), fileMode: stats.mode & 0o777, uid, gid }];
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** Reverses glibc's makedev(3) for numbers below 2^32: 12 bits of major between 8 and 12 bits of minor. */
function deviceNumbers(device: number): { major: number; minor: number } {
  return {
    major: (device >>> 8) & 0xfff,
    minor: (device & 0xff) | ((device >>> 12) & 0xfff00),
  };
}
