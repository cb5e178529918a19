/**
 * Work beside the calls, run on a period or when triggered, one run at a time, until it is stopped. A run that fails is reported and
 * tried again after a delay that grows; it ends neither the loop nor the process. The status says what the last run came to.
 */
import { type BackoffOptions, backoffMs } from "./backoff.ts";
import { type Clock, systemClock } from "./clock.ts";

/** What a run did, in a few numbers. */
export type LoopResult = Readonly<Record<string, number>>;

export interface LoopFailure {
  readonly name: string;
  readonly error: unknown;
  /** Failed runs since the last that succeeded. */
  readonly failures: number;
}

export interface LoopOptions {
  readonly name: string;
  /** From the end of a run to the next, which may come a tenth earlier. Without it, runs are triggered. */
  readonly intervalMs?: number;
  /** Gives up when the signal is aborted. */
  readonly run: (signal: AbortSignal) => LoopResult | void | Promise<LoopResult | void>;
  /** Reports failures 1, 2, 4, 8 and so on of a row, so that a lasting one does not fill the log. */
  readonly onFailure: (failure: LoopFailure) => void;
  /** Delay after a failure; its default depends on the interval. */
  readonly backoff?: BackoffOptions;
  readonly clock?: Clock;
  /** Returns a number in [0, 1). */
  readonly random?: () => number;
}

export interface LoopStatus {
  readonly name: string;
  /** Runs that have ended. */
  readonly runs: number;
  /** Failed runs since the last that succeeded. */
  readonly failures: number;
  /** How late the next run is, or the end of the run under way; 0 when nothing is late. */
  readonly overdueMs: number;
  /** When the last run that has ended began. */
  readonly lastRunAt?: string;
  readonly lastDurationMs?: number;
  readonly lastResult?: LoopResult;
  /** It stays after a success. */
  readonly lastError?: { readonly at: string; readonly message: string };
}

const jitter = 0.1;
const errorCharsMax = 500;

export class Loop {
  readonly name: string;
  readonly #options: LoopOptions;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #backoff: BackoffOptions;
  readonly #stopping = new AbortController();
  #wake = new AbortController();
  #running: Promise<void> | undefined;
  #dueMs: number;
  /** A run was asked for in spite of a back-off, since the last run began. */
  #isRetryAsked = false;
  /** A back-off ends then. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #current: { readonly dueMs: number; readonly startedMs: number } | undefined;
  #waiting: PromiseWithResolvers<void>[] = [];
  #status: Omit<LoopStatus, "overdueMs">;

  constructor(options: LoopOptions) {
    this.name = options.name;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#intervalMs = options.intervalMs ?? Number.POSITIVE_INFINITY;
    this.#backoff = { ...(options.backoff ?? backoffFor(options)), random: this.#random };
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#status = { name: options.name, runs: 0, failures: 0 };
  }

  get status(): LoopStatus {
    const { dueMs, startedMs } = this.#current ?? { dueMs: this.#dueMs, startedMs: undefined };
    const isFirst = startedMs !== undefined && this.#status.failures === 0;
    const expectedMs = isFirst ? Math.min(this.#dueMs, startedMs + this.#intervalMs) : dueMs;
    const overdueMs = Math.max(0, Math.round(this.#clock.nowMs() - expectedMs));
    return { ...this.#status, overdueMs: Number.isFinite(overdueMs) ? overdueMs : 0 };
  }

  /** Runs at once, and from then on. */
  start(): void {
    if (this.#running) return;
    this.trigger();
    this.#running = this.#loop();
  }

  /** Has it run within `delayMs`, after the run under way. A back-off is waited for. */
  trigger(delayMs = 0): void {
    const dueMs = this.#clock.nowMs() + delayMs;
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    this.#wake.abort();
  }

  /** Has it run now, in spite of a back-off: what failed may work again. */
  retry(): void {
    this.#isRetryAsked = true;
    this.#notBeforeMs = Number.NEGATIVE_INFINITY;
    this.trigger();
    this.#wake.abort();
  }

  /** Triggers a run and resolves when it has ended, whatever came of it, or the loop has. */
  async runOnce(): Promise<void> {
    const ended = Promise.withResolvers<void>();
    this.#waiting.push(ended);
    this.trigger();
    await ended.promise;
  }

  /** Resolves when the run under way has ended. No other follows. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort();
    await this.#running;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  readonly #random = (): number => (this.#options.random ?? Math.random)();

  async #loop(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const nowMs = this.#clock.nowMs();
      // A clock that was set back must not make a back-off longer than the longest.
      const backoffLeftMs = Math.min(this.#notBeforeMs - nowMs, this.#backoff.maxMs);
      const waitMs = Math.max(this.#dueMs - nowMs, backoffLeftMs);
      if (waitMs <= 0 || (await this.#sleep(waitMs)) === "elapsed") await this.#runNow();
    }
  }

  async #sleep(durationMs: number): Promise<"elapsed" | "woken"> {
    this.#wake = new AbortController();
    const { signal } = this.#wake;
    try {
      await this.#clock.sleep(durationMs, signal);
      return "elapsed";
    } catch (error) {
      if (!signal.aborted) throw error;
      return "woken";
    }
  }

  async #runNow(): Promise<void> {
    const { signal } = this.#stopping;
    const waiting = this.#waiting.splice(0);
    const startedMs = this.#clock.nowMs();
    this.#current = { dueMs: this.#dueMs, startedMs };
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#isRetryAsked = false;
    try {
      const result = await this.#options.run(signal);
      this.#succeeded(startedMs, result ?? undefined);
    } catch (error) {
      if (!signal.aborted) this.#failed(this.#current, error);
    }
    this.#current = undefined;
    for (const { resolve } of waiting) resolve();
  }

  #succeeded(startedMs: number, lastResult: LoopResult | undefined): void {
    const nowMs = this.#clock.nowMs();
    const { lastResult: _, ...before } = this.#status;
    this.#status = {
      ...before,
      ...ended(before.runs, startedMs, nowMs),
      ...(lastResult ? { lastResult } : {}),
      failures: 0,
    };
    this.#notBeforeMs = Number.NEGATIVE_INFINITY;
    const delayMs = this.#intervalMs * (1 - jitter * this.#random());
    this.#dueMs = Math.min(this.#dueMs, nowMs + delayMs);
  }

  #failed({ dueMs, startedMs }: { dueMs: number; startedMs: number }, error: unknown): void {
    const nowMs = this.#clock.nowMs();
    const failures = this.#status.failures + 1;
    this.#status = {
      ...this.#status,
      ...ended(this.#status.runs, startedMs, nowMs),
      failures,
      lastError: lastErrorOf(error, nowMs),
    };
    this.#dueMs = dueMs;
    if (!this.#isRetryAsked) this.#notBeforeMs = nowMs + backoffMs(failures - 1, this.#backoff);
    if (!isPowerOfTwo(failures)) return;
    try {
      this.#options.onFailure({ name: this.name, error, failures });
    } catch {
      // Safe to ignore: the status has the error.
    }
  }
}

function ended(runs: number, startedMs: number, nowMs: number) {
  const lastRunAt = new Date(startedMs).toISOString();
  return { runs: runs + 1, lastRunAt, lastDurationMs: Math.max(0, Math.round(nowMs - startedMs)) };
}

function backoffFor({ intervalMs = 1_000 }: LoopOptions): BackoffOptions {
  return { minMs: Math.min(intervalMs, 1_000), maxMs: Math.max(intervalMs, 5_000) };
}

export function lastErrorOf(error: unknown, nowMs: number): NonNullable<LoopStatus["lastError"]> {
  const message = error instanceof Error ? error.message : String(error);
  return { at: new Date(nowMs).toISOString(), message: message.slice(0, errorCharsMax) };
}

function isPowerOfTwo(count: number): boolean {
  return (count & (count - 1)) === 0;
}
