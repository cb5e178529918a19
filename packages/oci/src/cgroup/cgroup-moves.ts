/**
 * Moves of processes between cgroups, without the kernel's wait before the first.
 *
 * Forks and exits are cheap in the kernel as long as no process changes its cgroup. The first that does waits until every CPU
 * has taken note (an RCU grace period, 5 to 20 ms); another one right after does not (cgroup_attach_lock in
 * kernel/cgroup/cgroup.c, kernel/rcu/sync.c). The runtime moves a process when it starts a container or a command in one. If that is the
 * first move for a while, the wait is a third of the time that conmon and runc take. So the agent makes a move of its own beside the
 * work that comes before: it writes itself into the cgroup that it is in already.
 */
import { closeSync, openSync, readFileSync, write as writeWithCallback } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { systemClock } from "@podfleet/base/clock";

import type { CgroupHierarchies } from "./cgroup.ts";

const write = promisify(writeWithCallback);

/** Time between two moves of the agent: shorter than a grace period, so that no move has to wait again. */
const repeatMs = 4;
/** How long moves are kept ready after `expectSoon`. */
const soonMs = 100;

export class CgroupMoves {
  /** Path of the `cgroup.procs` that lists the agent; undefined when it cannot be found. */
  readonly #own: string | undefined;
  #expected = 0;
  #isKeptReady = false;

  constructor(cgroups: CgroupHierarchies) {
    this.#own = findOwnCgroup(cgroups, readFileSync("/proc/self/cgroup", "latin1"));
  }

  /** Makes moves ready, and keeps them so until the result is disposed of. */
  expect(): Disposable {
    this.#expected += 1;
    if (!this.#isKeptReady) void this.#keepReady();
    return { [Symbol.dispose]: () => (this.#expected -= 1) };
  }

  /** Makes moves ready for a moment. */
  expectSoon(): void {
    const move = this.expect();
    setTimeout(() => move[Symbol.dispose](), soonMs).unref();
  }

  /** Moves the agent again and again while any move is expected. */
  async #keepReady(): Promise<void> {
    if (this.#own === undefined) return;
    using opened = new DisposableStack();
    this.#isKeptReady = true;
    // Runs right after the loop has found nothing expected, with no await in between.
    opened.defer(() => (this.#isKeptReady = false));
    try {
      const procs = opened.adopt(openSync(this.#own, "w"), closeSync);
      while (this.#expected > 0) {
        await write(procs, "0");
        await systemClock.sleep(repeatMs);
      }
    } catch {
      // Safe to ignore: moves work without this, after the kernel's wait.
    }
  }
}

/**
 * Finds the `cgroup.procs` of the agent's own cgroup in one of the hierarchies.
 * @param text content of /proc/self/cgroup (cgroups(7))
 */
export function findOwnCgroup(
  { legacy, unified }: CgroupHierarchies,
  text: string,
): string | undefined {
  const hierarchy = unified ?? legacy[0];
  const controllers = unified ? "" : legacy[0]?.controllers.join(",");
  const lines = text.split("\n").map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? []);
  const path = lines.find(([, names]) => names === controllers)?.[2];
  if (hierarchy === undefined || path === undefined) return undefined;
  return join(hierarchy.directory, path, "cgroup.procs");
}
