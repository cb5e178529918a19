import { mkdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";

import { isAlive, type ProcessIdentity } from "../process/process-identity.ts";
import { CgroupMoves } from "./cgroup-moves.ts";
import { cgroupDirectories, type CgroupHierarchies } from "./cgroup.ts";

/** Delay of a move: callers that wait for the process's command are answered first, and many processes have ended by then. */
const soonMs = 20;

export interface HoldingCgroupOptions {
  readonly cgroups: CgroupHierarchies;
  /** Path below each hierarchy: `/podfleet/h1-monitors`. */
  readonly path: string;
  /** Called when a process could not be moved. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * A cgroup without limits. Processes are moved into it so that neither the limits nor the removal of their parent's cgroup reach
 * them. It leaves cpuset out, which a process may join only after CPUs have been assigned to it.
 */
export class HoldingCgroup {
  readonly moves: CgroupMoves;
  readonly #path: string;
  readonly #onFailure: HoldingCgroupOptions["onFailure"];
  readonly #procs: readonly string[];

  constructor({ cgroups, path, onFailure }: HoldingCgroupOptions) {
    this.moves = new CgroupMoves(cgroups);
    this.#path = path;
    this.#onFailure = onFailure;
    const legacy = cgroups.legacy.filter((hierarchy) => !hierarchy.controllers.includes("cpuset"));
    const directories = cgroupDirectories({ ...cgroups, legacy }, path);
    for (const directory of directories) mkdirSync(directory, { recursive: true });
    this.#procs = directories.map((directory) => join(directory, "cgroup.procs"));
  }

  /** Moves the process here after a short delay, unless it has ended by then or is here already. */
  joinSoon(process: ProcessIdentity): void {
    this.#joinSoon(process).catch(this.#onFailure);
  }

  async #joinSoon(process: ProcessIdentity): Promise<void> {
    await systemClock.sleep(soonMs);
    try {
      if (!isAlive(process) || this.#holds(process.pid)) return;
      for (const procs of this.#procs) await writeFile(procs, String(process.pid));
    } catch (error) {
      // Safe to ignore when the process has ended meanwhile.
      if (isAlive(process)) throw error;
    }
  }

  /** Reads the format of cgroups(7). */
  #holds(pid: number): boolean {
    const lines = readFileSync(`/proc/${pid}/cgroup`, "latin1").split("\n");
    return lines.some((line) => line.endsWith(`:${this.#path}`));
  }
}
