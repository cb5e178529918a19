/** Docker's CLI for tests of the Docker API. It is taken from Debian's package docker.io; the daemon in it is not installed. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { unpackFromRelease } from "./debian-release.mjs";
import { hasApt } from "./machine.mjs";

/** Tests look here first (packages/testkit, docker-cli.ts). */
const programPath = "/opt/podfleet/docker/bin/docker";
const wanted = { suite: "bookworm", name: "docker.io", withDependencies: false };

/**
 * Installs Docker's CLI if needed. Without it the tests that need it are skipped.
 * @param {import("./steps.mjs").Progress} progress
 * @returns {Promise<string>} what was done
 */
export async function ensureDockerCli(progress) {
  if (existsSync(programPath)) return `${versionOf(programPath)} at ${programPath}`;
  if (!hasApt()) return "none of Debian's; the machine's own is used if there is one";
  const staging = mkdtempSync(join(tmpdir(), "podfleet-docker-"));
  try {
    const root = await unpackFromRelease({ ...wanted, staging }, progress);
    const fresh = `${programPath}.new`;
    mkdirSync(dirname(programPath), { recursive: true });
    copyFileSync(join(root, "usr/bin/docker"), fresh);
    renameSync(fresh, programPath);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `not installed, the machine's own is used if there is one: ${reason}`;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  return `${versionOf(programPath)} unpacked to ${programPath}`;
}

/** @param {string} path */
function versionOf(path) {
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  return /version ([^\s,]+)/.exec(stdout ?? "")?.[1] ?? "unknown version";
}
