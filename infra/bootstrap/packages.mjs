/** Installs the Debian packages that podfleet's hosts need. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

import { SetUpFailure } from "./failure.mjs";
import { hasApt } from "./machine.mjs";
import { progressBar } from "./steps.mjs";

/**
 * `program` shows that the package is there when it was installed by other means. Versions are the oldest that are tested, those of
 * Debian 12.
 */
export const debianPackages = [
  { name: "conmon", versionMin: "2.1.6", program: "conmon" },
  { name: "runc", versionMin: "1.1.5", program: "runc" },
  { name: "crun", versionMin: "1.8.1", program: "crun" },
  { name: "catatonit", versionMin: "0.1.7", program: "catatonit" },
  { name: "socat", versionMin: "1.7.4", program: "socat" },
  { name: "nats-server", versionMin: "2.9.10", program: "nats-server" },
  { name: "busybox-static", versionMin: "1:1.35.0", program: "busybox" },
  { name: "iproute2", versionMin: "6.1.0", program: "ip" },
  { name: "util-linux", versionMin: "2.38", program: "nsenter" },
  { name: "mount", versionMin: "2.38", program: "mount" },
  { name: "tar", versionMin: "1.34", program: "tar" },
];

/** Some are not in an ordinary user's PATH. */
export const programFolders = [
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
];

/** @typedef {typeof debianPackages[number]} DebianPackage */

/**
 * Installs the packages that are missing or too old.
 * @param {import("./steps.mjs").Progress} progress
 * @returns {Promise<string>} what was done
 */
export async function ensureDebianPackages(progress) {
  const missing = findMissing();
  if (missing.length === 0) return `${debianPackages.length} present`;
  const names = missing.map(({ name }) => name);
  if (!hasApt()) {
    throw new SetUpFailure(
      `Packages are missing and this machine has no apt to install them: install ${names.join(", ")}, then run the command again`,
    );
  }
  await runApt(["update"], progress);
  await runApt(["install", "--yes", "--no-install-recommends", ...names], progress);
  const stillMissing = findMissing();
  if (stillMissing.length > 0) {
    const wanted = stillMissing.map(({ name, versionMin }) => `${name} ${versionMin}`).join(", ");
    throw new SetUpFailure(
      `The package sources of this machine lack ${wanted} or later: add those of Debian 12 or later, then run the command again`,
    );
  }
  return `installed ${names.join(", ")}`;
}

/** @returns {DebianPackage[]} */
function findMissing() {
  const installed = installedVersions();
  return debianPackages.filter(({ name, versionMin, program }) => {
    const version = installed.get(name);
    if (version === undefined) return !isProgram(program);
    return spawnSync("dpkg", ["--compare-versions", version, "lt", versionMin]).status === 0;
  });
}

/** @returns {Map<string, string>} version by package name */
function installedVersions() {
  if (!hasApt()) return new Map();
  const names = debianPackages.map(({ name }) => name);
  // Exits with 1 when a package is unknown, and lists the others.
  const { stdout } = spawnSync(
    "dpkg-query",
    ["--show", "--showformat=${db:Status-Status} ${Package} ${Version}\\n", ...names],
    { encoding: "utf8" },
  );
  const lines = stdout.split("\n").map((line) => line.split(" "));
  return new Map(
    lines.flatMap(([status, name, version]) =>
      status === "installed" && name && version ? [[name, version]] : [],
    ),
  );
}

/** @param {string} program */
function isProgram(program) {
  const folders = [...programFolders, ...(process.env["PATH"] ?? "").split(delimiter)];
  return folders.some((folder) => existsSync(join(folder, program)));
}

/**
 * @param {string[]} args
 * @param {import("./steps.mjs").Progress} progress
 * @param {string} cwd where `download` puts files
 */
export async function runApt(args, progress, cwd = "/") {
  const action = args[0];
  const child = spawn(
    "apt-get",
    ["--option=APT::Status-Fd=3", "--option=DPkg::Lock::Timeout=300", ...args],
    {
      cwd,
      stdio: ["ignore", "ignore", "pipe", "pipe"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
    },
  );
  let errors = "";
  child.stderr?.on("data", (chunk) => (errors = (errors + chunk).slice(-4_000)));
  const status = /** @type {import("node:stream").Readable} */ (child.stdio[3]);
  // A line is `dlstatus:ITEM:PERCENT:TEXT` or `pmstatus:PACKAGE:PERCENT:TEXT` (apt's README.progress-reporting).
  createInterface(status).on("line", (line) => {
    const [kind, , percent, ...text] = line.split(":");
    if (kind !== "dlstatus" && kind !== "pmstatus") return;
    progress(`apt-get ${action} ${progressBar(Number(percent))} ${text.join(":")}`);
  });
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) return;
  const reason =
    errors.split("\n").findLast((line) => line.startsWith("E:")) ?? `exit code ${code}`;
  throw new SetUpFailure(
    `"apt-get ${args.join(" ")}" failed (${reason}): check the network and /etc/apt/sources.list, then run the command again`,
  );
}
