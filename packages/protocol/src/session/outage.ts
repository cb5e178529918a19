import { backoffMs } from "@podfleet/base/backoff";
import { systemClock } from "@podfleet/base/clock";
import type { Clock } from "@podfleet/base/clock";
import { hasCode, PodfleetError } from "@podfleet/model/errors";

/** How an outage between a caller and what it calls is borne. */
export interface OutageOptions {
  /** How long the control plane may be away before the call fails. Default one minute. */
  readonly outageMaxMs?: number;
  /** `fail`: when the first attempt finds nobody listening, say so at once. Default `retry`. */
  readonly whenDown?: "retry" | "fail";
  /** The same for a host whose agent has not been heard since the call began. Default `fail`. */
  readonly whenHostSilent?: "retry" | "fail";
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

const outageMaxMsDefault = 60_000;

/** An attempt that lasted longer than this had reached the control plane, and broke off when an outage began. */
const heldOpenMs = 2_000;

const backoff = { minMs: 100, maxMs: 2_000 };

/** Counts the failures since the control plane was last heard, and spaces the attempts to reach it again. */
export class Outage {
  readonly #options: OutageOptions;
  readonly #wasNeverSent: (error: PodfleetError) => boolean;
  readonly #clock: Clock;
  #reached = false;
  #heard = false;
  #attempt = 0;
  #beganMs: number | undefined;
  #attemptBeganMs: number;

  /** `wasNeverSent` tells errors of attempts that have certainly reached nobody. */
  constructor(options: OutageOptions, wasNeverSent: (error: PodfleetError) => boolean) {
    this.#options = options;
    this.#wasNeverSent = wasNeverSent;
    this.#clock = options.clock ?? systemClock;
    this.#attemptBeganMs = this.#clock.nowMs();
  }

  /** The control plane was heard: the next failure begins a new outage. */
  end(): void {
    this.#reached = true;
    this.#heard = true;
    this.#attempt = 0;
    this.#beganMs = undefined;
  }

  /**
   * Resolves when it is time for the next attempt after `error`.
   * @throws `error` when it is not about an outage, or the outage has lasted too long; CANCELLED when the signal is aborted
   */
  async survive(error: unknown): Promise<void> {
    if (!this.#isOutage(error)) throw error;
    const failedMs = this.#clock.nowMs();
    if (failedMs - this.#attemptBeganMs > heldOpenMs && !this.#wasNeverSent(error)) this.end();
    const { outageMaxMs = outageMaxMsDefault, signal } = this.#options;
    this.#reached = true;
    this.#beganMs ??= failedMs;
    if (failedMs - this.#beganMs >= outageMaxMs) throw error;
    const delayMs = backoffMs(Math.min(this.#attempt++, 10), backoff);
    try {
      await this.#clock.sleep(delayMs, signal);
    } catch (cause) {
      throw new PodfleetError("CANCELLED", "The caller gave up", { cause });
    }
    this.#attemptBeganMs = this.#clock.nowMs();
  }

  #isOutage(error: unknown): error is PodfleetError {
    const { whenDown, whenHostSilent } = this.#options;
    if (hasCode(error, "HOST_UNREACHABLE")) return this.#heard || whenHostSilent === "retry";
    if (!hasCode(error, "UNAVAILABLE")) return false;
    return whenDown !== "fail" || this.#reached || !this.#wasNeverSent(error);
  }
}

/** Repeats a call until it is answered. @throws PodfleetError the answer, or what `outage` does not survive */
export async function persist<T>(call: () => Promise<T>, outage: Outage): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      await outage.survive(error);
    }
  }
}
