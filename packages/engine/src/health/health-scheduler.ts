/**
 * Checks the health of running containers: at the start of a run, and then whenever the healthcheck's interval has passed since the
 * last check. When that was is on record, so an engine that opens goes on as the one before it. A paused container is left alone.
 */
import { attemptAll } from "@podfleet/base/attempt-all";
import type { Clock } from "@podfleet/base/clock";
import { Loop, type LoopFailure, type LoopResult } from "@podfleet/base/loop";
import { hasCode } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import pLimit from "p-limit";

import type { ContainerRecord } from "../state/container-record.ts";
import type { StateStore } from "../state/state-store.ts";
import type { HealthCheck } from "./health-check.ts";
import type { HealthProbe } from "./health-probe.ts";

/** How soon a new run, or the end of one, is noticed. */
const lookIntervalMs = 250;
/** Checks under way at once; more wait for their turn. */
const concurrencyMax = 16;

export interface HealthSchedulerParts {
  readonly clock: Clock;
  readonly store: Pick<StateStore, "find" | "list">;
  readonly healthCheck: Pick<HealthCheck, "check">;
  readonly healthProbe: Pick<HealthProbe, "close">;
  readonly onFailure: (failure: LoopFailure) => void;
  /** Called when a container could not be checked; the check is tried again after the next interval. */
  readonly onUnchecked: (error: unknown, containerId: ContainerId) => void;
}

export class HealthScheduler {
  readonly loop: Loop;
  readonly #parts: HealthSchedulerParts;
  readonly #stop = new AbortController();
  readonly #limit = pLimit(concurrencyMax);
  readonly #underWay = new Map<ContainerId, Promise<void>>();
  /** When each container was last tried, whatever came of it; milliseconds since the Unix epoch. */
  readonly #triedAtMs = new Map<ContainerId, number>();

  constructor(parts: HealthSchedulerParts) {
    this.#parts = parts;
    this.loop = new Loop({
      name: "health-scheduler",
      intervalMs: lookIntervalMs,
      clock: parts.clock,
      run: async () => await this.#look(),
      onFailure: parts.onFailure,
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
      await this.#parts.healthCheck.check(id);
    } catch (error) {
      // Safe to ignore: it has ended, is paused or gone, or is being worked on, or the engine closes.
      if (hasCode(error, "STATE_INVALID", "CONTAINER_NOT_FOUND", "LOCK_TIMEOUT", "CANCELLED"))
        return;
      this.#parts.onUnchecked(error, id);
    }
  }
}
