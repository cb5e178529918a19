/**
 * CRIU, which checkpoints and restores containers. It must support the running kernel. Where the machine has no CRIU or one that is too
 * old, a newer one is unpacked from Debian into its own folder, with its libraries. The machine's packages and package sources are not
 * changed.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";

import { unpackFromRelease } from "./debian-release.mjs";
import { hasApt } from "./machine.mjs";
import { programFolders } from "./packages.mjs";

/** Engines look here first for programs (packages/oci, run-command.ts). */
const criuFolder = "/opt/podfleet/criu";
const criuPath = join(criuFolder, "bin/criu");
/** Kernel 6.16 and later refuse a socket option that CRIU before 4.2 uses (https://github.com/checkpoint-restore/criu/issues/2705). */
const wanted = isKernelAtLeast(6, 16)
  ? { versionMin: "4.2", suite: "forky" }
  : { versionMin: "3.17", suite: "trixie" };

/**
 * Installs CRIU if needed. Without it containers run, but checkpoints are refused.
 * @param {import("./steps.mjs").Progress} progress
 * @returns {Promise<string>} what was done
 */
export async function ensureCriu(progress) {
  const own = [criuPath, ...programFolders.map((folder) => join(folder, "criu"))];
  const present = own.find((path) => works(path));
  if (present !== undefined) return `${versionOf(present)} at ${present}`;
  if (existsSync(criuPath) && isRecent(criuPath)) return unfit();
  if (!hasApt()) return "none that works on this kernel; checkpoints are refused";
  const staging = mkdtempSync(join(tmpdir(), "podfleet-criu-"));
  try {
    const { suite } = wanted;
    const packages = { suite, name: "criu", withDependencies: true, staging };
    install(join(await unpackFromRelease(packages, progress), "usr"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `not installed, checkpoints are refused: ${reason}`;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  return works(criuPath) ? `${versionOf(criuPath)} unpacked into ${criuFolder}` : unfit();
}

function unfit() {
  return `${versionOf(criuPath)} at ${criuPath} does not work on this kernel; checkpoints are refused`;
}

/** @param {string} path */
function works(path) {
  if (!existsSync(path) || !isRecent(path)) return false;
  // As an agent checks it (packages/engine, checkpoint/support.ts).
  return [[], ["--feature", "network_lock_nftables"]].every(
    (feature) => spawnSync(path, ["check", ...feature]).status === 0,
  );
}

/** @param {string} path */
function isRecent(path) {
  const [major, minor] = numbersIn(versionOf(path));
  const [majorMin, minorMin] = numbersIn(wanted.versionMin);
  return major > majorMin || (major === majorMin && minor >= minorMin);
}

/**
 * @param {number} major
 * @param {number} minor
 */
function isKernelAtLeast(major, minor) {
  const [majorRunning, minorRunning] = numbersIn(release());
  return majorRunning > major || (majorRunning === major && minorRunning >= minor);
}

/**
 * @param {string} version
 * @returns {[number, number]}
 */
function numbersIn(version) {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}

/** @param {string} path */
function versionOf(path) {
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  return /Version: (\S+)/.exec(stdout)?.[1] ?? "unknown version";
}

/**
 * Installs the unpacked files, and a `criu` script that uses its own loader and libraries.
 * @param {string} unpacked
 */
function install(unpacked) {
  const libraries = join(criuFolder, "lib/x86_64-linux-gnu");
  rmSync(criuFolder, { recursive: true, force: true });
  mkdirSync(join(criuFolder, "bin"), { recursive: true });
  for (const folder of ["lib", "sbin"]) {
    const target = join(criuFolder, folder);
    cpSync(join(unpacked, folder), target, { recursive: true, verbatimSymlinks: true });
  }
  const loader = join(libraries, "ld-linux-x86-64.so.2");
  const program = join(criuFolder, "sbin/criu");
  const fresh = `${criuPath}.new`;
  const script = `#!/bin/sh\nexec ${loader} --library-path ${libraries} ${program} "$@"\n`;
  writeFileSync(fresh, script, { mode: 0o755 });
  // Last and atomically: the program exists only when everything else is in place.
  renameSync(fresh, criuPath);
}
