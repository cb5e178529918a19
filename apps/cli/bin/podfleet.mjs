#!/usr/bin/env node
// Starts the bundle on the Node that the checkout has installed, whatever Node this is.
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

/** The caller's descriptors that `--preserve-fds COUNT` is about: a child has only those that it is given. */
function preservedDescriptors(words) {
  const at = words.findIndex((word) => word.startsWith("--preserve-fds"));
  const count = Number(words[at]?.split("=")[1] ?? words[at + 1]);
  const wanted = at < 0 || !(count <= 16) ? [] : Array.from({ length: count }, (_, i) => 3 + i);
  return wanted.filter((descriptor) => existsSync(`/proc/self/fd/${descriptor}`));
}

/** Ends as the process on the other Node does. A terminal's signals reach both; others are passed on. */
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
    // A process that ends on its own gives the terminal back, which the other one had no time for.
    if (signal && signal !== "SIGKILL") process.kill(process.pid, signal);
    else process.exitCode = code ?? 137;
  });
}

function stay() {
  // The other process has the same signal and decides.
}

function fail(reason) {
  process.stderr.write(`Error: Cannot run podfleet: ${reason}\n`);
  process.exitCode = 125;
}
