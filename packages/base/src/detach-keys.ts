/** Detach keys: what a terminal's user types to leave a session without ending it. */
import { systemClock } from "./clock.ts";
import type { Clock } from "./clock.ts";

/** In place of a chunk: the user has typed the keys. */
export const detached = Symbol("detached");

/** A beginning of the keys that is followed by nothing for so long was meant for the command. */
export const prefixHoldMs = 500;

export interface DetachScanOptions {
  /** Keys in podman's form, which model/detach-keys defines: `ctrl-p,ctrl-q`; empty: nothing detaches. */
  readonly keys: string;
  readonly clock?: Clock;
}

/**
 * Passes on what a user types, but for the detach keys: when they have been typed, it yields `detached` and ends. What may be the
 * beginning of them is held back until the next key, or for `prefixHoldMs`. `input` is not closed.
 */
export async function* scanDetachKeys(
  input: AsyncIterable<Uint8Array>,
  { keys, clock = systemClock }: DetachScanOptions,
): AsyncGenerator<Uint8Array | typeof detached, void> {
  const scanner = new DetachScanner(keys);
  const chunks = input[Symbol.asyncIterator]();
  let next = chunks.next();
  for (;;) {
    const chunk = scanner.isHolding ? await unlessLate(next, clock) : await next;
    if (chunk === undefined || chunk.done) {
      const held = scanner.release();
      if (held.length > 0) yield held;
      if (chunk?.done) return;
      continue;
    }
    const { passed, isDetached } = scanner.scan(chunk.value);
    if (passed.length > 0) yield passed;
    if (isDetached) {
      yield detached;
      return;
    }
    next = chunks.next();
  }
}

/** undefined when there is no next chunk in time. */
async function unlessLate<T>(next: Promise<T>, clock: Clock): Promise<T | undefined> {
  const timer = new AbortController();
  const late = clock.sleep(prefixHoldMs, timer.signal).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([next, late]);
  } finally {
    timer.abort();
  }
}

/** Finds the keys in a stream of bytes that arrives in pieces, as Knuth, Morris and Pratt do. */
class DetachScanner {
  readonly #keys: Uint8Array;
  /** For each length of a match: the longest shorter match that the same bytes end with. */
  readonly #shorter: readonly number[];
  #matched = 0;

  constructor(keys: string) {
    this.#keys = keyBytes(keys);
    this.#shorter = shorterMatches(this.#keys);
  }

  get isHolding(): boolean {
    return this.#matched > 0;
  }

  /** `passed` is what is certainly no part of the keys. */
  scan(chunk: Uint8Array): { readonly passed: Uint8Array; readonly isDetached: boolean } {
    if (this.#keys.length === 0) return { passed: chunk, isDetached: false };
    // Each byte that is let go was in the chunk, or was held before it.
    const passed = new Uint8Array(this.#matched + chunk.length);
    let length = 0;
    for (const byte of chunk) {
      while (this.#matched > 0 && this.#keys[this.#matched] !== byte) {
        const kept = this.#shorter[this.#matched] ?? 0;
        passed.set(this.#keys.subarray(0, this.#matched - kept), length);
        length += this.#matched - kept;
        this.#matched = kept;
      }
      if (this.#keys[this.#matched] === byte) this.#matched += 1;
      else passed[length++] = byte;
      if (this.#matched === this.#keys.length) {
        this.#matched = 0;
        return { passed: passed.subarray(0, length), isDetached: true };
      }
    }
    return { passed: passed.subarray(0, length), isDetached: false };
  }

  /** What was held back, which is not any more. */
  release(): Uint8Array {
    const held = this.#keys.subarray(0, this.#matched);
    this.#matched = 0;
    return held;
  }
}

/** What a terminal sends for the keys: a control character is its letter's code less 64. */
function keyBytes(keys: string): Uint8Array {
  if (keys === "") return new Uint8Array();
  const codes = keys.split(",").map((key) => {
    const code = key.toUpperCase().charCodeAt(key.length - 1);
    return key.startsWith("ctrl-") ? code - 64 : key.charCodeAt(0);
  });
  return Uint8Array.from(codes);
}

function shorterMatches(keys: Uint8Array): number[] {
  const shorter = [0, 0];
  let match = 0;
  for (let length = 1; length < keys.length; length++) {
    while (match > 0 && keys[match] !== keys[length]) match = shorter[match] ?? 0;
    if (keys[match] === keys[length]) match += 1;
    shorter.push(match);
  }
  return shorter;
}
