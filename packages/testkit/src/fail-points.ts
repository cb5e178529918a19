/**
 * Faults of the OCI runtime and of conmon, chosen per container by an annotation: `podfleet.test/fail-points`, points separated
 * by ";", each `TOOL VERB: WHEN ACTION` and triggered once.
 *
 *     TOOL VERB  the call: `runc create`, `runc kill`, `conmon create`
 *     WHEN       `before` or `after` the real tool runs
 *     ACTION     `fail`         it ends with 1
 *                `hang`         it does not end
 *                `delay 0.5`    it takes so many seconds longer
 *                `kill-engine`  it kills the engine and ends with 1
 *                `stop`         it waits for the engine's end, and ends with 1
 *                `hold`         it waits for the engine's end, and goes on
 *
 * They apply to an engine with `directory` among its `toolDirectories`.
 */
import { existsSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";

import type { ContainerId } from "@podfleet/model/ids";

const tools = ["runc", "crun", "conmon"];

export class FailPoints {
  readonly directory: string;
  /** Tells the engine's process id to `kill-engine`, `stop` and `hold`; written before the engine opens. */
  readonly pidFile: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.pidFile = join(directory, "engine.pid");
  }

  /** Writes the wrappers of runc and conmon into a new directory. */
  static async install(directory: string): Promise<FailPoints> {
    await mkdir(join(directory, "reached"), { recursive: true });
    const script = join(import.meta.dirname, "fail-point.sh");
    for (const tool of tools) await symlink(script, join(directory, tool));
    return new FailPoints(directory);
  }

  /** The annotations that set these points for a container. */
  static annotations(...points: string[]): Record<string, string> {
    return { "podfleet.test/fail-points": points.join(";") };
  }

  /** Whether the point was triggered for the container. */
  isReached(id: ContainerId, point: string): boolean {
    return existsSync(join(this.directory, "reached", `${id} ${point}`));
  }
}
