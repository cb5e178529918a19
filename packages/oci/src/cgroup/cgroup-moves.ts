/**
 * Moves of processes between cgroups, without the kernel's wait before the first.
 *
 * Forks and exits are cheap in the kernel as long as no process changes its cgroup. The first that does waits until every CPU
 * has taken note (an RCU grace period, 5 to 20 ms); another one right after does not (cgroup_attach_lock in
 * kernel/cgroup/cgroup.c, kernel/rcu/sync.c). A start of a container, and a command in one, have the runtime move a process: when that
 * is the first move for a while, the wait is a third of the time that conmon and runc take. It is over by then when it begins with the
 * work before. The agent begins it by saying once more that it is where it is.
 */
import { closeSync, openSync, readFileSync, write as writeWithCallback } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { systemClock } from "@podfleet/base/clock";

import type { CgroupHierarchies } from "./cgroup.ts";

const write = promisify(writeWithCallback);

/** Less than a grace period, so that none is waited for twice. */
const repeatMs = 4;
/** How long moves stay ready when they are only likely. */
const soonMs = 100;

export class CgroupMoves {
  /** Where the agent itself is listed; undefined when that cannot be told. */
  readonly #own: string | undefined;
  #expected = 0;
  #isKeptReady = false;

  constructor(cgroups: CgroupHierarchies) {
    this.#own = findOwnCgroup(cgroups, readFileSync("/proc/self/cgroup", "latin1"));
  }

  /** Moves are made ready at once, and kept so until what is returned is disposed of. */
  expect(): Disposable {
    this.#expected += 1;
    if (!this.#isKeptReady) void this.#keepReady();
    return { [Symbol.dispose]: () => (this.#expected -= 1) };
  }

  /** A move is likely within the next moment. */
  expectSoon(): void {
    const move = this.expect();
    setTimeout(() => move[Symbol.dispose](), soonMs).unref();
  }

  /** Goes on while any move is expected. */
  async #keepReady(): Promise<void> {
    if (this.#own === undefined) return;
    using opened = new DisposableStack();
    this.#isKeptReady = true;
    // With nothing awaited between the last look at what is expected and this.
    opened.defer(() => (this.#isKeptReady = false));
    try {
      const procs = opened.adopt(openSync(this.#own, "w"), closeSync);
      while (this.#expected > 0) {
        await write(procs, "0");
        await systemClock.sleep(repeatMs);
      }
    } catch {
      // Safe to ignore: moves are made all the same, after a wait.
    }
  }
}

/**
 * Where the agent is in one of the hierarchies.
 * @param text of /proc/self/cgroup: see cgroups(7)
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
