import { backoffMs } from "@podfleet/base/backoff";
import { systemClock } from "@podfleet/base/clock";
import type { Clock } from "@podfleet/base/clock";
import { hasCode, PodfleetError } from "@podfleet/model/errors";

/** How a call behaves during an outage of the control plane or of a host. */
export interface OutageOptions {
  /** The longest outage of the control plane before the call fails. Default one minute. */
  readonly outageMaxMs?: number;
  /** `fail`: fails at once when the first attempt finds nobody listening. Default `retry`. */
  readonly whenDown?: "retry" | "fail";
  /** `fail`: fails at once when the host was unreachable since the call began. Default `fail`. */
  readonly whenHostSilent?: "retry" | "fail";
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

const outageMaxMsDefault = 60_000;

/** An attempt that lasted longer than this had reached the control plane: its failure begins a new outage. */
const heldOpenMs = 2_000;

const backoff = { minMs: 100, maxMs: 2_000 };

/** Counts the failures since the control plane was last reached, and delays the attempts to reach it again. */
export class Outage {
  readonly #options: OutageOptions;
  readonly #wasNeverSent: (error: PodfleetError) => boolean;
  readonly #clock: Clock;
  #reached = false;
  #heard = false;
  #attempt = 0;
  #beganMs: number | undefined;
  #attemptBeganMs: number;

  /** @param wasNeverSent whether an error means that the request was certainly not sent */
  constructor(options: OutageOptions, wasNeverSent: (error: PodfleetError) => boolean) {
    this.#options = options;
    this.#wasNeverSent = wasNeverSent;
    this.#clock = options.clock ?? systemClock;
    this.#attemptBeganMs = this.#clock.nowMs();
  }

  /** Records that the control plane was reached: the next failure begins a new outage. */
  end(): void {
    this.#reached = true;
    this.#heard = true;
    this.#attempt = 0;
    this.#beganMs = undefined;
  }

  /**
   * Resolves when it is time for the next attempt after `error`.
   * @throws `error` when it is no outage, or the outage has lasted too long; CANCELLED when the signal is aborted
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

/** Repeats a call during an outage. @throws PodfleetError the call's own error, or that of an outage that lasts too long */
export async function persist<T>(call: () => Promise<T>, outage: Outage): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      await outage.survive(error);
    }
  }
}
