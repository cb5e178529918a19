import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { CgroupMoves } from "./cgroup-moves.ts";
import { cgroupDirectories, type CgroupHierarchies } from "./cgroup.ts";

/**
 * A cgroup that processes are moved into without any limit of its own, so that neither the end nor the limits of their
 * parent's cgroup reach them. Left out: cpuset, which a process may only join after CPUs have been assigned to it.
 */
export class HoldingCgroup {
  readonly moves: CgroupMoves;
  readonly #directories: readonly string[];

  constructor(cgroups: CgroupHierarchies, path: string) {
    this.moves = new CgroupMoves(cgroups);
    const legacy = cgroups.legacy.filter((hierarchy) => !hierarchy.controllers.includes("cpuset"));
    this.#directories = cgroupDirectories({ ...cgroups, legacy }, path);
    for (const directory of this.#directories) mkdirSync(directory, { recursive: true });
  }

  /** Moves `pid` here; it takes a fraction of a millisecond when moves are ready. */
  join(pid: number): void {
    for (const directory of this.#directories) {
      writeFileSync(join(directory, "cgroup.procs"), String(pid));
    }
  }
}
