/** The npm packages of the workspace, Node 24 among them. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { SetUpFailure } from "./failure.mjs";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The Node that podfleet itself runs on. */
export const nodePath = join(root, "node_modules/.bin/node");

/** Whether the installed packages are those of the lockfile; pnpm keeps a copy of the one it has installed. */
export function isWorkspaceInstalled() {
  const installed = join(root, "node_modules/.pnpm/lock.yaml");
  return (
    existsSync(installed) &&
    existsSync(nodePath) &&
    readFileSync(installed).equals(readFileSync(join(root, "pnpm-lock.yaml")))
  );
}

/** Installs what the lockfile names; pnpm shows its own progress. */
export async function installWorkspace() {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const reporter = process.stdout.isTTY ? "default" : "append-only";
  const args = ["install", "--frozen-lockfile", `--reporter=${reporter}`];
  const child = spawn("npx", ["--yes", manifest.packageManager, ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) {
    throw new SetUpFailure(
      `"npx ${manifest.packageManager} ${args.join(" ")}" ended with ${code}: check that the npm registry can be reached, then run the command again`,
    );
  }
}
