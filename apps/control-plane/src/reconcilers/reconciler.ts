/**
 * A piece of background work: idempotent, without input, run on a timer and when asked. It does not retry inside; the next
 * run is the retry. What it did last is there for an operator to read.
 */
import { pause } from "@podfleet/base/pause";
import type { Logger } from "pino";

export interface ReconcilerOptions {
  readonly name: string;
  readonly intervalMs: number;
  readonly logger: Logger;
  /** Returns what it did, in a few numbers. */
  readonly run: (signal: AbortSignal) => Promise<Readonly<Record<string, number>>>;
}

export interface ReconcilerStatus {
  readonly lastRunAt?: string;
  readonly lastResult?: Readonly<Record<string, number>>;
  /** Failures since the last success. */
  readonly failures: number;
}

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #stopping = new AbortController();
  #wake = new AbortController();
  #running: Promise<void> | undefined;
  #status: ReconcilerStatus = { failures: 0 };

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get status(): ReconcilerStatus {
    return this.#status;
  }

  start(): void {
    this.#running ??= this.#loop();
  }

  /** Has it run now, or once more when it is at it. */
  trigger(): void {
    this.#wake.abort();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const wake = new AbortController();
      this.#wake = wake;
      await this.#runOnce(signal);
      await pause(this.#options.intervalMs, AbortSignal.any([signal, wake.signal]));
    }
  }

  async #runOnce(signal: AbortSignal): Promise<void> {
    const lastRunAt = new Date().toISOString();
    try {
      const lastResult = await this.#options.run(signal);
      this.#status = { lastRunAt, lastResult, failures: 0 };
    } catch (error) {
      const failures = this.#status.failures + 1;
      this.#status = { ...this.#status, lastRunAt, failures };
      const level = failures > 3 ? "error" : "warn";
      this.#options.logger[level]({ err: error, reconciler: this.name, failures }, "run failed");
    }
  }
}
