/**
 * What happens to a container whose process ends by itself: the exit is committed at once, and the clean-up follows, a few
 * containers at a time; then it is removed if that was asked for. A clean-up that fails is tried again with growing
 * delays, and given up after `attemptsMax`; the container then stays `stopped`, and its next start, stop,
 * removal or sync tries again.
 */
import type { Clock } from "@podfleet/base/clock";
import { isSystemError } from "@podfleet/base/errno";
import { WorkQueue } from "@podfleet/base/work-queue";
import { hasCode } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { traced } from "@podfleet/oci/process/trace";

import type { ContainerLocks } from "../lock/container-locks.ts";
import { hasProcess, isRemovedAfterRun } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";
import type { ContainerCleanup } from "./container-cleanup.ts";
import type { ContainerRemoval } from "./container-removal.ts";
import type { ContainerSync } from "./container-sync.ts";
import { dependentsOfContainer } from "./dependency.ts";

const atOnceMax = 4;
/** A clean-up begins so much later than its exit, so that those who waited for the exit are answered first. */
const yieldMs = 10;
const attemptsMax = 6;
const backoff = { minMs: 500, maxMs: 30_000 };
const exitMsMax = 30_000;
const cleanupMsMax = 120_000;

export interface ReaperParts {
  readonly clock: Clock;
  readonly store: Pick<StateStore, "find" | "get" | "list">;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
  readonly cleanup: Pick<ContainerCleanup, "cleanUpLocked" | "discardLocked">;
  readonly removal: Pick<ContainerRemoval, "removeLocked">;
}

export interface ReaperOptions {
  readonly parts: ReaperParts;
  /** Reports what failed for good. */
  readonly onFailure: (error: unknown, containerId: ContainerId) => void;
}

export class Reaper {
  /** Containers to clean up. */
  readonly queue: WorkQueue<ContainerId>;
  readonly #parts: ReaperParts;
  readonly #onFailure: ReaperOptions["onFailure"];
  readonly #stop = new AbortController();
  /** Containers whose exit is being committed. */
  readonly #exiting = new Set<ContainerId>();
  readonly #committing = new Set<Promise<void>>();

  constructor(options: ReaperOptions) {
    this.#parts = options.parts;
    this.#onFailure = options.onFailure;
    this.queue = new WorkQueue({
      name: "reaper",
      clock: options.parts.clock,
      atOnceMax,
      backoff,
      run: async (id) => {
        await traced("container.cleanup", { "podfleet.container.id": id }, () => this.#reap(id));
        return undefined;
      },
      isTriedAgain: (error, failures) => failures < attemptsMax && isPassing(error),
      onGivenUp: (error, id) => this.#onFailure(error, id),
    });
  }

  /** The container's process has ended, or its monitor has. Harmless when its record says so already. */
  exited(id: ContainerId): void {
    const record = this.#parts.store.find(id);
    if (!record || this.#exiting.has(id) || this.#stop.signal.aborted) return;
    // A method has committed the end before the notice of it came, and may have left the rest.
    if (record.snapshot.state === "stopped") return this.cleanUp(id);
    if (!hasProcess(record.snapshot)) return;
    this.#exiting.add(id);
    this.#track(this.#commitExit(id));
  }

  async #commitExit(id: ContainerId): Promise<void> {
    try {
      const request = { purpose: "container.exit", holdMsMax: exitMsMax };
      await this.#parts.locks.run(id, request, async () => {
        if (this.#parts.store.find(id)) await this.#parts.sync.syncLocked(id);
      });
      if (this.#parts.store.find(id)?.snapshot.state === "stopped") this.cleanUp(id);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#onFailure(error, id);
    } finally {
      this.#exiting.delete(id);
    }
  }

  /** Cleans up after the container when its turn comes. */
  cleanUp(id: ContainerId): void {
    this.queue.add(id, yieldMs);
  }

  /** Lets what is under way end; the rest is found at the next open. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.queue.stop(), ...this.#committing]);
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#committing.delete(tracked));
    this.#committing.add(tracked);
  }

  async #reap(id: ContainerId): Promise<void> {
    const { locks, store } = this.#parts;
    const request = { purpose: "container.cleanup", holdMsMax: cleanupMsMax };
    await locks.run(id, request, async () => {
      const state = () => store.find(id)?.snapshot.state;
      if (state() === "stopped") await this.#parts.cleanup.cleanUpLocked(id);
      else if (state() === "exited" || state() === "configured")
        await this.#parts.cleanup.discardLocked(id);
      const goes = state() === "exited" && isRemovedAfterRun(store.get(id));
      // One that others depend on stays, as if it had not been asked to go.
      const isNeeded = dependentsOfContainer(id, store.list()).length > 0;
      if ((goes && !isNeeded) || state() === "removing") await this.#parts.removal.removeLocked(id);
    });
  }
}

/** Whether trying again may help. */
function isPassing(error: unknown): boolean {
  const codes = ["RUNTIME_FAILED", "RUNTIME_TIMEOUT", "STORAGE_FAILED", "LOCK_TIMEOUT"] as const;
  return hasCode(error, ...codes) || isSystemError(error);
}
