#!/usr/bin/env node
// Runs the bundle on this Node, or on the Node of the checkout when this one is too old.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const versionMin = 24;
const bundle = new URL("../dist/main.mjs", import.meta.url);
const installedNode = fileURLToPath(new URL("../../../node_modules/.bin/node", import.meta.url));

if (!existsSync(bundle)) {
  fail('it is not built; run "npm start" in the checkout first');
} else if (Number.parseInt(process.versions.node, 10) >= versionMin) {
  const { enableCompileCache } = await import("node:module");
  enableCompileCache();
  await import(bundle.href);
} else if (existsSync(installedNode)) {
  await runOn(installedNode);
} else {
  const present = process.versions.node;
  fail(
    `Node is ${present}, must be ${versionMin} or newer; "npm start" in the checkout installs it`,
  );
}

/** Finds the descriptors of `--preserve-fds COUNT`, which have to be passed to a child explicitly. */
function preservedDescriptors(words) {
  const at = words.findIndex((word) => word.startsWith("--preserve-fds"));
  const count = Number(words[at]?.split("=")[1] ?? words[at + 1]);
  const wanted = at < 0 || !(count <= 16) ? [] : Array.from({ length: count }, (_, i) => 3 + i);
  return wanted.filter((descriptor) => existsSync(`/proc/self/fd/${descriptor}`));
}

/** Runs the CLI on another Node and ends as it does. A terminal's signals reach both processes; others are forwarded. */
async function runOn(node) {
  // oxlint-disable-next-line no-restricted-imports -- it runs this very program
  const { spawn } = await import("node:child_process");
  const standard = ["inherit", "inherit", "inherit"];
  const stdio = [...standard, ...preservedDescriptors(process.argv)];
  const child = spawn(node, process.argv.slice(1), { stdio });
  for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"]) {
    process.on(signal, () => child.kill(signal));
  }
  for (const signal of ["SIGINT", "SIGQUIT"]) process.on(signal, stay);
  child.on("exit", (code, signal) => {
    process.removeAllListeners(signal ?? "");
    // After SIGKILL this process exits normally, so that Node restores the terminal.
    if (signal && signal !== "SIGKILL") process.kill(process.pid, signal);
    else process.exitCode = code ?? 137;
  });
}

function stay() {
  // The other process gets the same signal and decides.
}

function fail(reason) {
  process.stderr.write(`Error: Cannot run podfleet: ${reason}\n`);
  process.exitCode = 125;
}
