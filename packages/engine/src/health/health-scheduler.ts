/**
 * Checks the health of running containers: at the start of a run, and then whenever the healthcheck's interval has passed since the
 * last check. When that was is on record, so an engine that opens goes on as the one before it. A paused container is left alone.
 */
import { attemptAll } from "@podfleet/base/attempt-all";
import { Loop, type LoopFailure, type LoopResult } from "@podfleet/base/loop";
import { hasCode } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import pLimit from "p-limit";

import type { EngineParts } from "../container/engine-parts.ts";
import type { ContainerRecord } from "../state/container-record.ts";
import { checkHealth } from "./check-health.ts";

/** How soon a new run, or the end of one, is noticed. */
const lookIntervalMs = 250;
/** Checks under way at once; more wait for their turn. */
const concurrencyMax = 16;

export interface HealthSchedulerOptions {
  readonly parts: EngineParts;
  readonly onFailure: (failure: LoopFailure) => void;
  /** Told of what keeps a container from being checked; it is tried again after the next interval. */
  readonly onUnchecked: (error: unknown, containerId: ContainerId) => void;
}

export class HealthScheduler {
  readonly loop: Loop;
  readonly #parts: EngineParts;
  readonly #onUnchecked: HealthSchedulerOptions["onUnchecked"];
  readonly #stop = new AbortController();
  readonly #limit = pLimit(concurrencyMax);
  readonly #underWay = new Map<ContainerId, Promise<void>>();
  /** When each container was last tried, whatever came of it; milliseconds since the Unix epoch. */
  readonly #triedAtMs = new Map<ContainerId, number>();

  constructor({ parts, onFailure, onUnchecked }: HealthSchedulerOptions) {
    this.#parts = parts;
    this.#onUnchecked = onUnchecked;
    this.loop = new Loop({
      name: "health-scheduler",
      intervalMs: lookIntervalMs,
      clock: parts.clock,
      run: async () => await this.#look(),
      onFailure,
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.loop.stop();
    this.#parts.healthProbe.close();
    await Promise.all(this.#underWay.values());
  }

  async #look(): Promise<LoopResult> {
    const { store } = this.#parts;
    await attemptAll(store.list(), (record) => {
      if (this.#isDue(record)) this.#begin(record.snapshot.id);
    });
    for (const id of this.#triedAtMs.keys()) if (!store.find(id)) this.#triedAtMs.delete(id);
    return { underWay: this.#limit.activeCount, queued: this.#limit.pendingCount };
  }

  #begin(id: ContainerId): void {
    if (this.#underWay.has(id)) return;
    this.#triedAtMs.set(id, this.#parts.clock.nowMs());
    const check = this.#limit(async () => await this.#check(id));
    this.#underWay.set(
      id,
      check.finally(() => this.#underWay.delete(id)),
    );
  }

  #isDue({ snapshot, spec, healthLog }: ContainerRecord): boolean {
    if (!spec.healthcheck || snapshot.state !== "running") return false;
    const last = healthLog?.results.at(-1);
    if (!last && this.#isNew(snapshot)) return true;
    const lastMs = Math.max(
      last ? Date.parse(last.finishedAt) : 0,
      this.#triedAtMs.get(snapshot.id) ?? 0,
    );
    return this.#parts.clock.nowMs() >= lastMs + spec.healthcheck.intervalMs;
  }

  /** Whether its run began after it was last tried. */
  #isNew({ id, startedAt }: ContainerRecord["snapshot"]): boolean {
    return Date.parse(startedAt ?? "") >= (this.#triedAtMs.get(id) ?? 0);
  }

  async #check(id: ContainerId): Promise<void> {
    if (this.#stop.signal.aborted) return;
    try {
      await checkHealth(this.#parts, id);
    } catch (error) {
      // Safe to ignore: it has ended, is paused or gone, or is being worked on, or the engine closes.
      if (hasCode(error, "STATE_INVALID", "CONTAINER_NOT_FOUND", "LOCK_TIMEOUT", "CANCELLED"))
        return;
      this.#onUnchecked(error, id);
    }
  }
}
