/**
 * Unpacks packages of another Debian release into a folder. The machine's packages and package sources are not changed.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runApt } from "./packages.mjs";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * @param {object} wanted
 * @param {string} wanted.suite
 * @param {string} wanted.name of the package
 * @param {boolean} wanted.withDependencies include all dependencies, even installed ones
 * @param {string} wanted.staging an empty folder
 * @param {import("./steps.mjs").Progress} progress
 * @returns {Promise<string>} the folder that corresponds to `/`
 */
export async function unpackFromRelease({ suite, name, withDependencies, staging }, progress) {
  const archives = join(staging, "cache/archives");
  const root = join(staging, "root");
  for (const folder of ["state/lists/partial", "cache/archives/partial", "root"]) {
    mkdirSync(join(staging, folder), { recursive: true });
  }
  const source = `deb [signed-by=${keyring}] http://deb.debian.org/debian ${suite} main\n`;
  writeFileSync(join(staging, "sources.list"), source);
  // An empty status file makes apt download all dependencies.
  writeFileSync(join(staging, "status"), "");
  const apart = {
    "Dir::Etc::sourcelist": join(staging, "sources.list"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::State": join(staging, "state"),
    "Dir::State::status": join(staging, "status"),
    "Dir::Cache": join(staging, "cache"),
    "APT::Sandbox::User": "root",
  };
  const options = Object.entries(apart).map(([key, value]) => `--option=${key}=${value}`);
  await runApt(["update", ...options], progress);
  const install = ["install", "--yes", "--no-install-recommends", "--download-only"];
  const download = withDependencies ? install : ["download"];
  await runApt([...download, ...options, name], progress, archives);
  for (const file of readdirSync(archives).filter((entry) => entry.endsWith(".deb"))) {
    const { status, stderr } = spawnSync("dpkg-deb", ["--extract", join(archives, file), root]);
    if (status !== 0) throw new Error(`dpkg-deb: ${String(stderr).trim()}`);
  }
  return root;
}
