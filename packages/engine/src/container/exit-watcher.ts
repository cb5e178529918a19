/**
 * Ends of containers as the monitors report them: a monitor writes the exit code of its container to a file of the
 * container's id in the exit directory (by rename, so a file is whole when it is there), and then ends. A file is about
 * the container's present run: the one before is dropped before the next begins.
 */
import {
  existsSync,
  type FSWatcher,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
} from "node:fs";
import { join } from "node:path";

import type { Clock } from "@podfleet/base/clock";
import { hasErrno } from "@podfleet/base/errno";
import { type ContainerId, containerIdSchema } from "@podfleet/model/ids";

const exitCodeMax = 255;

export interface ExitRecord {
  /** Undefined when it could not be learnt. */
  readonly exitCode: number | undefined;
  /** When the process ended, milliseconds since the Unix epoch. */
  readonly atMs: number;
}

export interface ExitWatcherOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** Called when a file appears, and when `wake` is. */
  readonly onExit: (id: ContainerId) => void;
  /** Called when new files are not noticed any more: only `wake` ends a wait then. */
  readonly onFailure: (error: unknown) => void;
}

export class ExitWatcher {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #waiting = new Map<ContainerId, Set<() => void>>();
  readonly #watcher: FSWatcher;
  readonly #onExit: ExitWatcherOptions["onExit"];

  constructor(options: ExitWatcherOptions) {
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#onExit = options.onExit;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#watcher = watch(options.directory, (_event, name) => {
      const id = containerIdSchema.safeParse(name);
      if (id.success && existsSync(join(options.directory, id.data))) this.wake(id.data);
    });
    this.#watcher.on("error", options.onFailure);
  }

  close(): void {
    this.#watcher.close();
  }

  /** What is on file about the present run; a monitor that could not learn the exit code writes something else. */
  find(id: ContainerId): ExitRecord | undefined {
    return readExitFile(join(this.#directory, id));
  }

  /** Drops what is on file about an earlier run. */
  forget(id: ContainerId): void {
    rmSync(join(this.#directory, id), { force: true });
  }

  /** Has those who wait for the container look at it: its exit is on file, or its monitor is gone. */
  wake(id: ContainerId): void {
    for (const resolve of this.#waiting.get(id) ?? []) resolve();
    this.#onExit(id);
  }

  /** Resolves with true when there is something to look at (see `wake`), with false after `timeoutMs` or at `signal`. */
  async wait(id: ContainerId, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    const woken = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(id) ?? new Set();
    waiting.add(woken.resolve);
    this.#waiting.set(id, waiting);
    const timer = new AbortController();
    try {
      if (this.find(id)) return true;
      const ended = signal ? AbortSignal.any([signal, timer.signal]) : timer.signal;
      const expiry = this.#clock.sleep(timeoutMs, ended).then(
        () => false,
        () => false,
      );
      return await Promise.race([woken.promise.then(() => true), expiry]);
    } finally {
      timer.abort();
      waiting.delete(woken.resolve);
      if (waiting.size === 0) this.#waiting.delete(id);
    }
  }
}

/** What a monitor has written about the end of its process; undefined when it has not. */
export function readExitFile(path: string): ExitRecord | undefined {
  try {
    const code = Number(readFileSync(path, "latin1").trim() || Number.NaN);
    const isCode = Number.isInteger(code) && code >= 0 && code <= exitCodeMax;
    const atMs = Math.round(statSync(path).mtimeMs);
    return { exitCode: isCode ? code : undefined, atMs };
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
