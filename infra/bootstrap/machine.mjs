import { existsSync } from "node:fs";

import { SetUpFailure } from "./failure.mjs";

const nodeMajorMin = 20;

/** Throws a SetUpFailure when podfleet cannot be set up on this machine by this user. */
export function checkMachine() {
  const nodeMajor = Number(process.versions.node.split(".")[0]);
  if (nodeMajor < nodeMajorMin) {
    throw new SetUpFailure(
      `Node ${process.versions.node} is too old: install Node ${nodeMajorMin} or later`,
    );
  }
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new SetUpFailure(
      `${process.platform} on ${process.arch} is not supported: use a Linux machine or VM on x86-64`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new SetUpFailure(
      `User ${process.getuid?.()} may not run containers: run the command as root, for example with sudo`,
    );
  }
}

/** Whether packages can be installed with apt. */
export function hasApt() {
  return existsSync("/usr/bin/apt-get") && existsSync("/usr/bin/dpkg-query");
}
