/** Installs the npm packages of the workspace, which include Node 24. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { SetUpFailure } from "./failure.mjs";
import { progressBar } from "./steps.mjs";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Node that podfleet runs on. */
export const nodePath = join(root, "node_modules/.bin/node");

/** Whether the installed packages match the lockfile: pnpm keeps a copy of the lockfile it has installed. */
function isWorkspaceInstalled() {
  const installed = join(root, "node_modules/.pnpm/lock.yaml");
  return (
    existsSync(installed) &&
    existsSync(nodePath) &&
    readFileSync(installed).equals(readFileSync(join(root, "pnpm-lock.yaml")))
  );
}

/**
 * Installs the packages of the lockfile.
 * @param {import("./steps.mjs").Progress} progress
 * @returns {Promise<string>} what was done
 */
export async function ensureWorkspace(progress) {
  if (isWorkspaceInstalled()) return "up to date";
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const args = ["install", "--frozen-lockfile"];
  const child = spawn("npx", ["--yes", packageManager, ...args, "--reporter=ndjson"], {
    cwd: root,
    stdio: ["ignore", "ignore", "pipe"],
  });
  progress(`getting ${packageManager}`);
  /** @type {{ resolved: number, imported: number, errors: string[] }} */
  const report = { resolved: 0, imported: 0, errors: [] };
  createInterface(child.stderr).on("line", (line) => {
    readReport(line, report);
    if (report.resolved === 0) return;
    progress(`${args.join(" ")} ${progressBar((100 * report.imported) / report.resolved)}`);
  });
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) return report.imported > 0 ? `${report.imported} installed` : "relinked";
  throw new SetUpFailure(
    `"npx ${packageManager} ${args.join(" ")}" failed (${report.errors.join("; ") || `exit code ${code}`}): check that the npm registry can be reached, then run the command again`,
  );
}

/**
 * Reads a line of output from npx or pnpm. pnpm first resolves all packages and then imports each into node_modules.
 * @param {string} line
 * @param {{ resolved: number, imported: number, errors: string[] }} report
 */
function readReport(line, report) {
  if (!line.startsWith("{")) {
    if (line.startsWith("npm error")) report.errors.push(line);
    return;
  }
  const { name, level, status, message } = JSON.parse(line);
  if (level === "error") report.errors.push(message);
  if (name !== "pnpm:progress") return;
  if (status === "resolved") report.resolved += 1;
  if (status === "imported") report.imported += 1;
}
