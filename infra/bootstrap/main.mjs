#!/usr/bin/env node
/**
 * Entry point of `npm start`, `npm stop`, `npm run reset`, `npm test` and `npm run bench`. It runs on the machine's Node without any npm
 * package, installs what is missing, and runs command.ts on the workspace's Node.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";

import { ensureCriu } from "./criu.mjs";
import { ensureDockerCli } from "./docker-cli.mjs";
import { SetUpFailure, reportFailure } from "./failure.mjs";
import { checkMachine } from "./machine.mjs";
import { ensureDebianPackages, programFolders } from "./packages.mjs";
import { step, tolerateClosedOutput } from "./steps.mjs";
import { ensureWorkspace, nodePath, root } from "./workspace.mjs";

const commands = ["start", "stop", "reset", "test", "bench"];
/** Commands that end the fleet, for which no packages are installed. */
const endings = ["stop", "reset"];

tolerateClosedOutput();
try {
  await main(process.argv.slice(2));
} catch (error) {
  reportFailure(error);
}

/** @param {string[]} args */
async function main(args) {
  const command = args[0] ?? "";
  if (!commands.includes(command)) {
    throw new SetUpFailure(`Unknown command "${command}": must be one of ${commands.join(", ")}`);
  }
  checkMachine();
  if (!endings.includes(command)) {
    await step("Debian packages", ensureDebianPackages);
    await step("CRIU", ensureCriu);
    if (command === "test") await step("Docker's CLI", ensureDockerCli);
  }
  await step("npm packages", ensureWorkspace);
  process.exitCode = await handOver(args);
}

/**
 * Runs command.ts. A terminal sends its signals to the child too; SIGTERM is forwarded.
 * @param {string[]} args
 * @returns {Promise<number>} the child's exit code
 */
async function handOver(args) {
  const child = spawn(nodePath, [join(root, "infra/bootstrap/command.ts"), ...args], {
    cwd: root,
    stdio: "inherit",
    env: {
      ...process.env,
      PATH: [join(root, "node_modules/.bin"), process.env["PATH"], ...programFolders].join(":"),
    },
  });
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.on("SIGINT", () => undefined);
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) =>
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)),
    );
  });
}
