/**
 * Seeds of randomised tests. Each test prints its seed, and `PODFLEET_TEST_SEED` gives it back: with the same seed a test makes the same
 * choices.
 */
import { randomInt } from "node:crypto";

import { systemClock } from "@podfleet/base/clock";
import { z } from "zod";

const seedLimit = 2 ** 31;

/** The seed from the environment; when undefined, each test generates its own. */
export const givenSeed = z.coerce
  .number()
  .int()
  .min(0)
  .max(seedLimit - 1)
  .optional()
  .parse(process.env["PODFLEET_TEST_SEED"]);

/** @param what the choices are for, as the printed line names it */
export function printedSeed(what: string): number {
  const seed = givenSeed ?? randomInt(seedLimit);
  process.stderr.write(`${what}: PODFLEET_TEST_SEED=${seed}\n`);
  return seed;
}

/** A pseudo-random generator. */
export class SeededRandom {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed;
    this.#state = seed;
  }

  /** Returns a number at least 0 and less than 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    const state = this.#state;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Returns an integer at least 0 and less than `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  shuffled<T>(items: readonly T[]): T[] {
    const keyed = items.map((item) => ({ item, key: this.next() }));
    return keyed.toSorted((a, b) => a.key - b.key).map(({ item }) => item);
  }

  /**
   * Resolves at a random moment between `minMs` and `maxMs` from now, when a fault begins or ends. It is never used to wait for
   * something to have happened.
   */
  async moment(maxMs: number, minMs = 0): Promise<void> {
    await systemClock.sleep(minMs + this.next() * (maxMs - minMs));
  }
}
