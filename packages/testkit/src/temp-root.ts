/** A temporary folder for a test, whose disposal fails when the test leaves mounts, processes or cgroups behind. */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";

import { waitFor } from "./wait-for.ts";

export interface TempRoot extends AsyncDisposable {
  readonly path: string;
}

export interface TempRootOptions {
  /** Cgroups below this parent (`/podfleet/test-1`) must be gone at the end too. */
  readonly cgroupParent?: string;
}

/** A folder that is removed at disposal. Disposal fails when a mount, a process or a cgroup of it remains for longer than 5 s. */
export async function createTempRoot(
  name: string,
  options: TempRootOptions = {},
): Promise<TempRoot> {
  const path = await mkdtemp(join(tmpdir(), `podfleet-${name}-`));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      let leaks: string[] = [];
      try {
        await waitFor(
          async () => {
            leaks = await findLeaks(path, options.cgroupParent);
            return leaks.length === 0;
          },
          { what: `the end of what uses "${path}"` },
        );
      } catch (error) {
        throw new Error(`Left behind: ${leaks.join(", ")}`, { cause: error });
      }
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** Mounts at or below `path`, processes whose command line names it, and cgroups of `cgroupParent`. */
export async function findLeaks(path: string, cgroupParent?: string): Promise<string[]> {
  const cgroups = cgroupParent === undefined ? [] : await cgroupsOf(cgroupParent);
  return [...(await mountsBelow(path)), ...(await processesNaming(path)), ...cgroups];
}

async function mountsBelow(path: string): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  const targets = lines.map((line) => line.split(" ")[4] ?? "");
  return targets
    .filter((target) => target === path || target.startsWith(`${path}/`))
    .map((target) => `mount ${target}`);
}

async function processesNaming(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    try {
      const commandLine = (await readFile(`/proc/${entry}/cmdline`, "utf8")).replaceAll("\0", " ");
      const directory = await readlink(`/proc/${entry}/cwd`);
      if (`${commandLine} ${directory}`.includes(path)) {
        found.push(`process ${entry} (${commandLine.trim()})`);
      }
    } catch (error) {
      // Safe to ignore: the process has ended meanwhile, or belongs to the machine.
      if (!hasErrno(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) throw error;
    }
  }
  return found;
}

/** Finds cgroups in any hierarchy, version 1 or 2; the parent itself may stay. */
async function cgroupsOf(parent: string): Promise<string[]> {
  const root = "/sys/fs/cgroup";
  const hierarchies = ["", ...(await readdir(root))].map((name) => join(root, name, parent));
  const found: string[] = [];
  for (const folder of hierarchies.filter((candidate) => existsSync(candidate))) {
    const entries = await readdir(folder, { withFileTypes: true });
    const children = entries.filter((entry) => entry.isDirectory());
    found.push(...children.map((entry) => `cgroup ${join(folder, entry.name)}`));
  }
  return found;
}
