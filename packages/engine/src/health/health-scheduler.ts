/**
 * Checks the health of running containers: at the start of a run, and then whenever the healthcheck's interval has passed since the
 * last check. When that was is on record, so an engine that opens goes on as the one before it. A paused container is left alone.
 */
import { hasCode } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";

import type { EngineParts } from "../container/engine-parts.ts";
import type { ContainerRecord } from "../state/container-record.ts";
import { checkHealth } from "./check-health.ts";

/** How soon a new run, or the end of one, is noticed. */
const lookIntervalMs = 250;
/** Checks under way at once; more wait for their turn. */
const concurrencyMax = 16;

export interface HealthSchedulerOptions {
  readonly parts: EngineParts;
  /** Told of what keeps a container from being checked; it is tried again after the next interval. */
  readonly onFailure: (error: unknown, containerId: ContainerId) => void;
}

export class HealthScheduler {
  readonly #parts: EngineParts;
  readonly #onFailure: HealthSchedulerOptions["onFailure"];
  readonly #stop = new AbortController();
  readonly #underWay = new Map<ContainerId, Promise<void>>();
  /** When each container was last tried, whatever came of it; milliseconds since the Unix epoch. */
  readonly #triedAtMs = new Map<ContainerId, number>();
  #stopped: Promise<void> | undefined;

  constructor(options: HealthSchedulerOptions) {
    this.#parts = options.parts;
    this.#onFailure = options.onFailure;
  }

  open(): void {
    this.#stopped = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#stopped;
    this.#parts.healthProbe.close();
    await Promise.all(this.#underWay.values());
  }

  async #run(): Promise<void> {
    const { clock, store } = this.#parts;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      for (const record of store.list()) this.#look(record);
      for (const id of this.#triedAtMs.keys()) if (!store.find(id)) this.#triedAtMs.delete(id);
      try {
        await clock.sleep(lookIntervalMs, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  #look(record: ContainerRecord): void {
    const { id } = record.snapshot;
    if (!this.#isDue(record)) return;
    if (this.#underWay.has(id) || this.#underWay.size >= concurrencyMax) return;
    this.#triedAtMs.set(id, this.#parts.clock.nowMs());
    this.#underWay.set(
      id,
      this.#check(id).finally(() => this.#underWay.delete(id)),
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
    try {
      await checkHealth(this.#parts, id);
    } catch (error) {
      // Safe to ignore: it has ended, is paused or gone, or is being worked on, or the engine closes.
      if (hasCode(error, "STATE_INVALID", "CONTAINER_NOT_FOUND", "LOCK_TIMEOUT", "CANCELLED"))
        return;
      this.#onFailure(error, id);
    }
  }
}
