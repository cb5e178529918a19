import { backoffMs } from "@podfleet/base/backoff";
import { systemClock } from "@podfleet/base/clock";
import type { Clock } from "@podfleet/base/clock";
import { PodfleetError } from "@podfleet/model/errors";

import { wasNeverSent } from "./connection.ts";

export interface OutageOptions {
  /** How long the control plane may be away before the call fails. Default one minute. */
  readonly outageMaxMs?: number;
  /** `fail`: when the first attempt finds nobody listening, say so at once. Default `retry`. */
  readonly whenDown?: "retry" | "fail";
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

const outageMaxMsDefault = 60_000;

const backoff = { minMs: 100, maxMs: 2_000 };

/** Counts the failures since the control plane was last heard, and spaces the attempts to reach it again. */
export class Outage {
  readonly #options: OutageOptions;
  readonly #clock: Clock;
  #reached = false;
  #attempt = 0;
  #beganMs: number | undefined;

  constructor(options: OutageOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** The control plane was heard: the next failure begins a new outage. */
  end(): void {
    this.#reached = true;
    this.#attempt = 0;
    this.#beganMs = undefined;
  }

  /**
   * Resolves when it is time for the next attempt after `error`.
   * @throws `error` when it is not about an outage, or the outage has lasted too long; CANCELLED when the signal is aborted
   */
  async survive(error: unknown): Promise<void> {
    if (!(error instanceof PodfleetError) || error.code !== "UNAVAILABLE") throw error;
    const { outageMaxMs = outageMaxMsDefault, whenDown, signal } = this.#options;
    if (whenDown === "fail" && !this.#reached && wasNeverSent(error)) throw error;
    this.#reached = true;
    this.#beganMs ??= this.#clock.nowMs();
    if (this.#clock.nowMs() - this.#beganMs >= outageMaxMs) throw error;
    const delayMs = backoffMs(Math.min(this.#attempt++, 10), backoff);
    try {
      await this.#clock.sleep(delayMs, signal);
    } catch (cause) {
      throw new PodfleetError("CANCELLED", "The caller gave up", { cause });
    }
  }
}
