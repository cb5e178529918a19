/**
 * Starts containers again when their restart policy says so. What is due, and when, is on record (`restartAt`), so an engine that
 * opens carries on where the one before it ended. A start that fails is one more end of a run: the policy decides again.
 */
import type { Clock } from "@podfleet/base/clock";
import { isSystemError } from "@podfleet/base/errno";
import { WorkQueue } from "@podfleet/base/work-queue";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { traced } from "@podfleet/oci/process/trace";

import type { ContainerLocks } from "../lock/container-locks.ts";
import { isRestarting } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";
import { initializeMsMax } from "./container-init.ts";
import type { ContainerStart } from "./container-start.ts";
import type { ContainerSync } from "./container-sync.ts";
import { planRestart } from "./restart-plan.ts";

/** Containers started at once, such as after a reboot. */
const atOnceMax = 4;
/** For a container whose lock is held for long, and a host that is short of files or space. */
const backoff = { minMs: 500, maxMs: 30_000 };

export interface RestartParts {
  readonly clock: Clock;
  readonly store: Pick<StateStore, "find" | "get" | "list" | "update">;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
  readonly start: Pick<ContainerStart, "startLocked">;
}

export interface RestartSchedulerOptions {
  readonly parts: RestartParts;
  /** Reports defects; the container is left alone then. */
  readonly onFailure: (error: unknown, containerId: ContainerId) => void;
}

export class RestartScheduler {
  /** Containers that are to be started. */
  readonly queue: WorkQueue<ContainerId>;
  readonly #parts: RestartParts;
  #isOpen = false;

  constructor({ parts, onFailure }: RestartSchedulerOptions) {
    this.#parts = parts;
    this.queue = new WorkQueue({
      name: "restart-scheduler",
      clock: parts.clock,
      atOnceMax,
      backoff,
      run: async (id) => await this.#restart(id),
      isTriedAgain: (error) => hasCode(error, "LOCK_TIMEOUT") || isSystemError(error),
      onGivenUp: onFailure,
    });
  }

  /** From now on containers are started; first those that are on record. */
  open(): void {
    this.#isOpen = true;
    for (const { snapshot } of this.#parts.store.list()) this.schedule(snapshot.id);
    this.queue.start();
  }

  /** Starts the container when its `restartAt` has come; harmless when it has none. */
  schedule(id: ContainerId): void {
    const delayMs = this.#delayMs(id);
    if (this.#isOpen && delayMs !== undefined) this.queue.add(id, delayMs);
  }

  /** Lets what is under way end; the rest is on record. */
  async close(): Promise<void> {
    await this.queue.stop();
  }

  /** @returns when the next restart is due, in milliseconds from now */
  async #restart(id: ContainerId): Promise<number | undefined> {
    if (this.#delayMs(id) === 0) {
      const request = { purpose: "container.restart", holdMsMax: initializeMsMax };
      await traced("container.restart", { "podfleet.container.id": id }, async () => {
        await this.#parts.locks.run(id, request, () => restartDueLocked(this.#parts, id));
      });
    }
    return this.#delayMs(id);
  }

  /** Until its time has come; undefined when it has none. */
  #delayMs(id: ContainerId): number | undefined {
    const restartAt = this.#parts.store.find(id)?.snapshot.restartAt;
    if (restartAt === undefined) return undefined;
    return Math.max(0, Date.parse(restartAt) - this.#parts.clock.nowMs());
  }
}

/** The lock may have been waited for: it is started only if that is still due. */
async function restartDueLocked(parts: RestartParts, id: ContainerId): Promise<void> {
  if (!parts.store.find(id)) return;
  await parts.sync.syncLocked(id);
  const { snapshot } = parts.store.get(id);
  if (!isRestarting(snapshot)) return;
  if (Date.parse(snapshot.restartAt ?? "") > parts.clock.nowMs()) return;
  try {
    await parts.start.startLocked(id, { ends: false, byPolicy: true });
  } catch (error) {
    if (!(error instanceof PodfleetError) || error.code === "INTERNAL") throw error;
    commitFailedLocked(parts, id, error);
  }
}

/** Waiting for its dependencies to run does not use up what the policy allows. */
function commitFailedLocked(parts: RestartParts, id: ContainerId, error: PodfleetError): void {
  const { snapshot, spec } = parts.store.get(id);
  const isCounted = error.code !== "DEPENDENCY_NOT_RUNNING";
  const restartCount = snapshot.restartCount + (isCounted ? 1 : 0);
  const plan = planRestart(spec.restartPolicy, {
    exitCode: undefined,
    atMs: parts.clock.nowMs(),
    ranMs: 0,
    restartCount,
    restartDelayMs: snapshot.restartDelayMs,
  });
  parts.store.update(
    id,
    { error: error.message, restartCount, restartAt: undefined, ...plan },
    { event: "container.restart-failed", attributes: { code: error.code } },
  );
}
