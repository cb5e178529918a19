import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The path where set-up unpacks Debian's CLI (infra/bootstrap, docker-cli.mjs). */
const ownPath = "/opt/podfleet/docker/bin/docker";

/** Docker's CLIs of this machine: Debian's, which set-up unpacks for tests, and one that was installed by other means. */
export function findDockerClis(): string[] {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const installed = folders.map((folder) => join(folder, "docker")).find(isProgram);
  return [...(isProgram(ownPath) ? [ownPath] : []), ...(installed ? [installed] : [])];
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Safe to ignore: there is no such program.
    return false;
  }
}
