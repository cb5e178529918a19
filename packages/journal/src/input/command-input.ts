/**
 * The standard input of one running command. Bytes of several sessions are delivered once each, in the order in which they were taken,
 * also when the agent is killed. In the monitor's bundle, `input` holds the bytes and `input.ledger` the sessions that wrote them; the
 * forwarder sends them to the monitor. Space of bytes that were forwarded is freed by punching holes into the file.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { join } from "node:path";

import type { Clock } from "@podfleet/base/clock";
import { pause } from "@podfleet/base/pause";
import { PodfleetError } from "@podfleet/model/errors";
import type { SessionId } from "@podfleet/model/ids";
import { punchHole } from "@podfleet/oci/process/punch-hole";

import { type ForwarderCgroup, InputForwarder } from "./input-forwarder.ts";
import { InputLedger } from "./input-ledger.ts";
import { writeWhole } from "./write-whole.ts";

export const inputFile = "input";
/** The most bytes that are taken before they are forwarded. */
const windowBytes = 256 * 1024;
/** The least that is freed at once. */
const freeBytesMin = 256 * 1024;
/** The time that forwarded bytes take to reach the monitor when the command reads them. */
const settleMs = 5;
/** The delays between polls of the forwarder, doubled from the first to the second. */
const pollMsMin = 1;
const pollMsMax = 64;

export interface CommandInputOptions {
  readonly bundle: string;
  readonly clock: Clock;
  readonly cgroup: ForwarderCgroup;
  /** The command's forwarder, when an earlier engine has started it. */
  readonly forwarder: InputForwarder | undefined;
  /** Tells whether the session is on record. */
  readonly isKept: (session: SessionId) => boolean;
  /** Called when sessions may write more than before. */
  readonly onRoom: () => void;
  readonly onFailure: (error: unknown) => void;
}

export interface InputPosition {
  /** Number of bytes that were taken from the session. */
  readonly seq: number;
  /** Number of bytes that the session may have written. */
  readonly limit: number;
  /** No more bytes are taken from the session. */
  readonly ended: boolean;
}

export class CommandInput {
  readonly #options: CommandInputOptions;
  readonly #file: number;
  readonly #ledger: InputLedger;
  /** Undefined when it has ended, and with it the command's input. */
  #forwarder: InputForwarder | undefined;
  readonly #limits = new Map<SessionId, number>();
  readonly #stop = new AbortController();
  #length: number;
  #forwarded = 0;
  #freed = 0;
  #isEnding = false;
  #wroteAtMs = 0;
  /** The value of `#forwarded` when `onRoom` was called last. */
  #reported = 0;
  #polling: Promise<void> | undefined;

  constructor(options: CommandInputOptions) {
    const path = join(options.bundle, inputFile);
    this.#options = options;
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#length = fstatSync(this.#file).size;
    this.#ledger = InputLedger.open(`${path}.ledger`, this.#length, options.isKept);
    const isNew = this.#length === 0 && !this.#ledger.closed;
    this.#forwarder =
      options.forwarder ?? (isNew ? InputForwarder.start(path, options.cgroup) : undefined);
    if (this.#ledger.closed) this.#forwarder?.end();
    this.#forwarded = this.#forwarder?.bytesForwarded() ?? 0;
    this.#reported = this.#forwarded;
  }

  /** The sessions that have ended their input. */
  get ended(): SessionId[] {
    return this.#ledger.ended();
  }

  position(session: SessionId): InputPosition {
    const { seq, ended } = this.#ledger.find(session);
    const room = Math.max(0, this.#forwarded + windowBytes - this.#length);
    const limit = Math.max(this.#limits.get(session) ?? 0, seq + room);
    this.#limits.set(session, limit);
    return { seq, limit, ended: ended || this.#isOver };
  }

  /**
   * Takes those of the bytes that were not taken before; `seq` is the number of the session's bytes before them. Drops what is written
   * after the end of the command's input.
   * @throws PodfleetError UNAVAILABLE when bytes before them are missing; INVALID_INPUT beyond the limit, or after the session's end
   * of input; STORAGE_FAILED
   */
  write(session: SessionId, seq: number, bytes: Uint8Array): void {
    const { seq: have, ended } = this.#ledger.find(session);
    if (seq > have) throw missing(have, seq);
    const fresh = bytes.subarray(have - seq);
    if (fresh.length === 0 || this.#isOver) return;
    if (ended) throw refused("its end was sent before");
    const upTo = have + fresh.length;
    const limit = this.#limits.get(session) ?? 0;
    if (upTo > limit) throw refused(`it goes up to ${upTo}, must be at most ${limit}`);
    this.#ledger.append(session, { seq: upTo, ended }, this.#length + fresh.length);
    try {
      writeWhole(this.#file, fresh, this.#length);
      this.#length += fresh.length;
      this.#wroteAtMs = this.#options.clock.nowMs();
    } catch (error) {
      this.#length = fstatSync(this.#file).size;
      this.#ledger.reload(this.#length);
      throw error;
    }
    if (this.#length - this.#forwarded > windowBytes / 2) this.#poll();
  }

  /** Ends the session's input. @throws PodfleetError UNAVAILABLE when some of the session's bytes were not taken yet */
  end(session: SessionId, seq: number): void {
    const { seq: have, ended } = this.#ledger.find(session);
    if (seq > have) throw missing(have, seq);
    if (!ended) this.#ledger.append(session, { seq: have, ended: true }, this.#length);
  }

  /** Ends the command's input once all bytes are forwarded. */
  finish(): void {
    this.#isEnding = true;
    this.#poll();
  }

  /** Resolves when all bytes that were taken have reached the monitor, or after `timeoutMs`. */
  async flushed(timeoutMs: number): Promise<void> {
    const { clock } = this.#options;
    if (clock.nowMs() - this.#wroteAtMs < settleMs) await clock.sleep(settleMs);
    const deadlineMs = clock.nowMs() + timeoutMs;
    const goal = this.#length;
    for (let delayMs = pollMsMin; ; delayMs *= 2) {
      this.#update();
      const leftMs = deadlineMs - clock.nowMs();
      if (this.#forwarded >= goal || this.#isOver || leftMs <= 0) return;
      await clock.sleep(Math.min(delayMs, leftMs));
    }
  }

  /** Closes the files, and ends the forwarder when the command has ended; otherwise the forwarder outlives the engine. */
  async close({ commandEnded }: { readonly commandEnded: boolean }): Promise<void> {
    this.#stop.abort();
    if (commandEnded) this.#forwarder?.end();
    await this.#polling;
    this.#ledger.close();
    closeSync(this.#file);
  }

  get #isOver(): boolean {
    return this.#forwarder === undefined || this.#ledger.closed;
  }

  /** True while the end of the input, or room for more, waits for bytes to be forwarded. */
  get #isWaitedFor(): boolean {
    if (this.#isOver || this.#stop.signal.aborted) return false;
    return this.#isEnding || this.#length - this.#forwarded > windowBytes / 2;
  }

  #poll(): void {
    this.#polling ??= this.#watch()
      .catch(this.#options.onFailure)
      .finally(() => (this.#polling = undefined));
  }

  async #watch(): Promise<void> {
    let delayMs = pollMsMin;
    while (this.#isWaitedFor) {
      const before = this.#forwarded;
      this.#update();
      if (this.#isEnding && this.#forwarded >= this.#length) return this.#endInput();
      delayMs = this.#forwarded > before ? pollMsMin : Math.min(pollMsMax, 2 * delayMs);
      await pause(delayMs, this.#stop.signal);
    }
  }

  /** Ends the command's input. The ledger is written first, so that no other forwarder is started if the agent ends here. */
  #endInput(): void {
    this.#ledger.appendClosed(this.#length);
    this.#forwarder?.end();
    this.#options.onRoom();
  }

  /** Reads how many bytes were forwarded, frees their space and reports the room. */
  #update(): void {
    if (this.#isOver) return;
    const forwarded = this.#forwarder?.bytesForwarded();
    if (forwarded === undefined) {
      // It was killed, or the command's monitor has ended.
      this.#forwarder = undefined;
      return this.#options.onRoom();
    }
    this.#forwarded = forwarded;
    if (forwarded - this.#freed >= freeBytesMin) {
      punchHole(this.#file, { from: this.#freed, to: forwarded });
      this.#freed = forwarded;
    }
    if (forwarded - this.#reported < windowBytes / 4 && forwarded < this.#length) return;
    if (forwarded === this.#reported) return;
    this.#reported = forwarded;
    this.#options.onRoom();
  }
}

function missing(have: number, seq: number): PodfleetError {
  return new PodfleetError(
    "UNAVAILABLE",
    `Cannot take input from byte ${seq}: has been taken up to ${have}, must go on from there`,
  );
}

function refused(reason: string): PodfleetError {
  return new PodfleetError("INVALID_INPUT", `Cannot take the input: ${reason}`);
}
