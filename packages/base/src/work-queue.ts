/**
 * Work by key: each piece when its time has come, a few at once, and of one key one at a time. A piece that fails gives its place to
 * others and comes again later, with growing delays.
 */
import pLimit from "p-limit";

import { type BackoffOptions, backoffMs } from "./backoff.ts";
import { type Clock, systemClock } from "./clock.ts";
import { lastErrorOf, Loop, type LoopStatus } from "./loop.ts";

export interface WorkQueueOptions<Key> {
  readonly name: string;
  readonly atOnceMax: number;
  /** Does what is due. @returns the delay in milliseconds after which the key is due again, if it is */
  readonly run: (key: Key, signal: AbortSignal) => Promise<number | undefined>;
  /** Whether a piece that has failed `failures` times in a row is tried again. */
  readonly isTriedAgain: (error: unknown, failures: number) => boolean;
  readonly backoff: BackoffOptions;
  /** Reports each failure after which the key is given up. */
  readonly onGivenUp: (error: unknown, key: Key) => void;
  readonly clock?: Clock;
}

interface Piece {
  state: "waiting" | "queued" | "underWay";
  /** When `dueMs` was decided: a clock that says less now was set back. */
  sinceMs: number;
  dueMs: number;
  failures: number;
  /** It was asked for again while it was under way. */
  isAskedAgain: boolean;
}

export class WorkQueue<Key> {
  readonly #options: WorkQueueOptions<Key>;
  readonly #clock: Clock;
  readonly #pieces = new Map<Key, Piece>();
  readonly #begun = new Set<Promise<void>>();
  readonly #limit: ReturnType<typeof pLimit>;
  /** Begins what is due. */
  readonly #loop: Loop;
  readonly #stopping = new AbortController();
  #last: Pick<LoopStatus, "lastRunAt" | "lastDurationMs" | "lastError"> = {};
  #runs = 0;

  constructor(options: WorkQueueOptions<Key>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limit = pLimit(options.atOnceMax);
    this.#loop = new Loop({
      name: options.name,
      clock: this.#clock,
      run: () => this.#beginDue(),
      // Safe to ignore: it reads the clock and memory only.
      onFailure: () => undefined,
    });
  }

  /** `failures` counts the keys whose last piece has failed, `overdueMs` is that of the piece that waits longest. */
  get status(): LoopStatus {
    const pieces = [...this.#pieces.values()];
    const count = (state: Piece["state"]): number =>
      pieces.filter((piece) => piece.state === state).length;
    const nowMs = this.#clock.nowMs();
    const notBegun = pieces.filter(({ state }) => state !== "underWay");
    return {
      name: this.#options.name,
      runs: this.#runs,
      failures: pieces.filter(({ failures }) => failures > 0).length,
      overdueMs: Math.round(nowMs - Math.min(nowMs, ...notBegun.map(({ dueMs }) => dueMs))),
      lastResult: {
        ...{ waiting: count("waiting"), queued: count("queued"), underWay: count("underWay") },
      },
      ...this.#last,
    };
  }

  start(): void {
    this.#loop.start();
  }

  /**
   * Has the key's work done after `delayMs`, or when it is due before that; once more when it is under way. It is a request of its own: the
   * failures of earlier ones do not count.
   */
  add(key: Key, delayMs = 0): void {
    if (this.#stopping.signal.aborted) return;
    const sinceMs = this.#clock.nowMs();
    const piece = this.#pieces.get(key) ?? {
      ...{ state: "waiting", sinceMs, dueMs: Number.POSITIVE_INFINITY, failures: 0 },
      isAskedAgain: false,
    };
    this.#pieces.set(key, piece);
    if (piece.state === "underWay") piece.isAskedAgain = true;
    else piece.failures = 0;
    this.#postpone(piece, delayMs);
  }

  /** Lets what is under way end. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop.stop();
    await Promise.all(this.#begun);
  }

  #postpone(piece: Piece, delayMs: number): void {
    const sinceMs = this.#clock.nowMs();
    if (sinceMs + delayMs >= piece.dueMs) return;
    piece.sinceMs = sinceMs;
    piece.dueMs = sinceMs + delayMs;
    this.#loop.trigger(delayMs);
  }

  #beginDue(): void {
    const nowMs = this.#clock.nowMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [key, piece] of this.#pieces) {
      if (piece.state !== "waiting") continue;
      if (piece.dueMs <= nowMs || nowMs < piece.sinceMs) this.#begin(key, piece);
      else nextMs = Math.min(nextMs, piece.dueMs);
    }
    if (Number.isFinite(nextMs)) this.#loop.trigger(nextMs - nowMs);
  }

  #begin(key: Key, piece: Piece): void {
    piece.state = "queued";
    const working = this.#limit(async () => await this.#work(key, piece));
    const tracked = working.finally(() => this.#begun.delete(tracked));
    this.#begun.add(tracked);
  }

  async #work(key: Key, piece: Piece): Promise<void> {
    const { signal } = this.#stopping;
    if (signal.aborted) return;
    piece.state = "underWay";
    piece.dueMs = Number.POSITIVE_INFINITY;
    piece.isAskedAgain = false;
    const startedMs = this.#clock.nowMs();
    try {
      const delayMs = await this.#options.run(key, signal);
      piece.failures = 0;
      if (delayMs !== undefined) this.#postpone(piece, delayMs);
    } catch (error) {
      if (!signal.aborted) this.#failed(key, piece, error);
    }
    const lastRunAt = new Date(startedMs).toISOString();
    const lastDurationMs = Math.max(0, Math.round(this.#clock.nowMs() - startedMs));
    this.#last = { ...this.#last, lastRunAt, lastDurationMs };
    this.#runs += 1;
    piece.state = "waiting";
    if (piece.dueMs === Number.POSITIVE_INFINITY) this.#pieces.delete(key);
    else this.#loop.trigger(Math.max(0, piece.dueMs - this.#clock.nowMs()));
  }

  #failed(key: Key, piece: Piece, error: unknown): void {
    const nowMs = this.#clock.nowMs();
    this.#last = { ...this.#last, lastError: lastErrorOf(error, nowMs) };
    piece.failures += 1;
    const isTriedAgain = this.#options.isTriedAgain(error, piece.failures);
    if (!isTriedAgain) this.#options.onGivenUp(error, key);
    if (piece.isAskedAgain || !isTriedAgain) piece.failures = 0;
    else this.#postpone(piece, backoffMs(piece.failures - 1, this.#options.backoff));
  }
}
