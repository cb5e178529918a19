import { AsyncLocalStorage } from "node:async_hooks";

import type { Clock } from "@podfleet/base/clock";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { traced } from "@podfleet/oci/process/trace";

import type { ContainerLocks } from "../lock/container-locks.ts";
/**
 * Starts containers again when their restart policy says so. What is due, and when, is on record (`restartAt`), so an engine that
 * opens carries on where the one before it ended. A start that fails is one more end of a run: the policy decides again.
 */
import { isRestarting } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";
import { initializeMsMax } from "./container-init.ts";
import type { ContainerStart } from "./container-start.ts";
import type { ContainerSync } from "./container-sync.ts";
import { planRestart } from "./restart-plan.ts";

/** Containers started at once, such as after a reboot. */
const concurrencyMax = 4;

export interface RestartParts {
  readonly clock: Clock;
  readonly store: Pick<StateStore, "find" | "get" | "list" | "update">;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
  readonly start: Pick<ContainerStart, "startLocked">;
}

export interface RestartSchedulerOptions {
  readonly parts: RestartParts;
  /** Told of defects; the container is left alone then. */
  readonly onFailure: (error: unknown, containerId: ContainerId) => void;
}

export class RestartScheduler {
  readonly #parts: RestartParts;
  readonly #onFailure: RestartSchedulerOptions["onFailure"];
  readonly #stop = new AbortController();
  /** Runs what outlives the call that it is asked for in, apart from that call's lock and trace. */
  readonly #apart = AsyncLocalStorage.snapshot();
  /** Containers whose restart is waited for, or under way. */
  readonly #scheduled = new Map<ContainerId, Promise<void>>();
  /** Those whose time has come, in order. */
  readonly #due: PromiseWithResolvers<void>[] = [];
  #startingCount = 0;
  #isOpen = false;

  constructor(options: RestartSchedulerOptions) {
    this.#parts = options.parts;
    this.#onFailure = options.onFailure;
  }

  /** From now on containers are started; first those that are on record. */
  open(): void {
    this.#isOpen = true;
    for (const { snapshot } of this.#parts.store.list()) this.schedule(snapshot.id);
  }

  /** Starts the container when its `restartAt` has come; harmless when it has none. */
  schedule(id: ContainerId): void {
    if (!this.#isOpen || this.#stop.signal.aborted || this.#scheduled.has(id)) return;
    const task = this.#apart(async () => await this.#run(id));
    this.#scheduled.set(id, task);
  }

  /** Lets what is under way end; the rest is on record. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const { resolve } of this.#due.splice(0)) resolve();
    await Promise.all(this.#scheduled.values());
  }

  async #run(id: ContainerId): Promise<void> {
    const { signal } = this.#stop;
    try {
      // Ends when no restart is due: whoever records the next one schedules it again.
      while (!signal.aborted && (await this.#waitUntilDue(id))) await this.#restart(id);
    } catch (error) {
      if (!signal.aborted) this.#onFailure(error, id);
    } finally {
      this.#scheduled.delete(id);
    }
  }

  /** Resolves with true when its time has come, with false when it has none. */
  async #waitUntilDue(id: ContainerId): Promise<boolean> {
    const { clock, store } = this.#parts;
    const restartAt = store.find(id)?.snapshot.restartAt;
    if (restartAt === undefined) return false;
    const delayMs = Date.parse(restartAt) - clock.nowMs();
    if (delayMs > 0) await clock.sleep(delayMs, this.#stop.signal);
    return true;
  }

  async #restart(id: ContainerId): Promise<void> {
    await this.#takeTurn();
    try {
      if (this.#stop.signal.aborted) return;
      const request = { purpose: "container.restart", holdMsMax: initializeMsMax };
      await traced("container.restart", { "podfleet.container.id": id }, async () => {
        await this.#parts.locks.run(id, request, () => restartDueLocked(this.#parts, id));
      });
    } catch (error) {
      if (!hasCode(error, "LOCK_TIMEOUT")) throw error;
    } finally {
      this.#startingCount -= 1;
      this.#due.shift()?.resolve();
    }
  }

  async #takeTurn(): Promise<void> {
    if (this.#startingCount >= concurrencyMax) {
      const turn = Promise.withResolvers<void>();
      this.#due.push(turn);
      await turn.promise;
    }
    this.#startingCount += 1;
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
