/**
 * The standard input of one command while it runs: whoever writes to it, each byte arrives once, in the order in which it was taken,
 * whether or not the agent lives on. In the monitor's bundle, `input` holds the bytes and `input.ledger` says whose they are; the
 * feeder passes them on. What was passed on is punched out of the file's front.
 */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { join } from "node:path";

import type { Clock } from "@podfleet/base/clock";
import { pause } from "@podfleet/base/pause";
import { PodfleetError } from "@podfleet/model/errors";
import type { SessionId } from "@podfleet/model/ids";
import { punchHole } from "@podfleet/oci/process/punch-hole";

import { Feeder, type FeederCgroup } from "./feeder.ts";
import { InputLedger } from "./ledger.ts";
import { writeWhole } from "./write-whole.ts";

export const inputFile = "input";
/** How much may be taken that was not passed on yet. */
const windowBytes = 256 * 1024;
/** The front is given back in parts of at least this. */
const punchBytes = 256 * 1024;
/** From the file to the monitor, when nothing is in the way. */
const settleMs = 5;
/** How soon it is looked again whether more was passed on, while somebody waits for it; it doubles up to the other. */
const pollMsMin = 1;
const pollMsMax = 64;

export interface CommandInputOptions {
  readonly bundle: string;
  readonly clock: Clock;
  readonly cgroup: FeederCgroup;
  /** The one that an earlier engine has left. */
  readonly feeder: Feeder | undefined;
  /** Whether the session is on record. */
  readonly isKept: (session: SessionId) => boolean;
  /** More can be taken than before. */
  readonly onRoom: () => void;
  readonly onFailure: (error: unknown) => void;
}

export interface InputPosition {
  /** How many bytes of the session's were taken. */
  readonly seq: number;
  /** It may write up to here. */
  readonly limit: number;
  /** It takes no more. */
  readonly ended: boolean;
}

export class CommandInput {
  readonly #options: CommandInputOptions;
  readonly #file: number;
  readonly #ledger: InputLedger;
  /** Undefined when there was one that has ended, and the command's input with it. */
  #feeder: Feeder | undefined;
  readonly #limits = new Map<SessionId, number>();
  readonly #stop = new AbortController();
  #length: number;
  #passedOn = 0;
  #punched = 0;
  #isEnding = false;
  #wroteAtMs = 0;
  /** Of what was passed on, how much those who write were told of. */
  #told = 0;
  #polling: Promise<void> | undefined;

  constructor(options: CommandInputOptions) {
    const path = join(options.bundle, inputFile);
    this.#options = options;
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#length = fstatSync(this.#file).size;
    this.#ledger = InputLedger.open(`${path}.ledger`, this.#length, options.isKept);
    const isNew = this.#length === 0 && !this.#ledger.closed;
    this.#feeder = options.feeder ?? (isNew ? Feeder.start(path, options.cgroup) : undefined);
    if (this.#ledger.closed) this.#feeder?.end();
    this.#passedOn = this.#feeder?.passedOn() ?? 0;
    this.#told = this.#passedOn;
  }

  /** Sessions that have ended their input. */
  get ended(): SessionId[] {
    return this.#ledger.ended();
  }

  position(session: SessionId): InputPosition {
    const { seq, ended } = this.#ledger.find(session);
    const room = Math.max(0, this.#passedOn + windowBytes - this.#length);
    const limit = Math.max(this.#limits.get(session) ?? 0, seq + room);
    this.#limits.set(session, limit);
    return { seq, limit, ended: ended || this.#isOver };
  }

  /**
   * Takes the bytes that are new; `seq` is the number of the session's bytes before them. What is written after the end of the
   * command's input is dropped.
   * @throws PodfleetError UNAVAILABLE for bytes that leave a hole; INVALID_INPUT beyond the limit, or after the session's end of
   * input; STORAGE_FAILED
   */
  write(session: SessionId, seq: number, bytes: Uint8Array): void {
    const { seq: have, ended } = this.#ledger.find(session);
    if (seq > have) throw hole(have, seq);
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
    if (this.#length - this.#passedOn > windowBytes / 2) this.#poll();
  }

  /** The session writes no more. @throws PodfleetError UNAVAILABLE when it has written more than has come */
  end(session: SessionId, seq: number): void {
    const { seq: have, ended } = this.#ledger.find(session);
    if (seq > have) throw hole(have, seq);
    if (!ended) this.#ledger.append(session, { seq: have, ended: true }, this.#length);
  }

  /** Ends the command's input when all that was taken has been passed on. */
  finish(): void {
    this.#isEnding = true;
    this.#poll();
  }

  /** Resolves when all that was taken has reached the monitor, or after `timeoutMs`. */
  async passed(timeoutMs: number): Promise<void> {
    const { clock } = this.#options;
    if (clock.nowMs() - this.#wroteAtMs < settleMs) await clock.sleep(settleMs);
    const deadlineMs = clock.nowMs() + timeoutMs;
    const goal = this.#length;
    for (let delayMs = pollMsMin; ; delayMs *= 2) {
      this.#look();
      const leftMs = deadlineMs - clock.nowMs();
      if (this.#passedOn >= goal || this.#isOver || leftMs <= 0) return;
      await clock.sleep(Math.min(delayMs, leftMs));
    }
  }

  /** The command has ended, or the engine does: then the feeder goes on. */
  async close({ commandEnded }: { readonly commandEnded: boolean }): Promise<void> {
    this.#stop.abort();
    if (commandEnded) this.#feeder?.end();
    await this.#polling;
    this.#ledger.close();
    closeSync(this.#file);
  }

  get #isOver(): boolean {
    return this.#feeder === undefined || this.#ledger.closed;
  }

  /** Whether somebody waits for more to be passed on. */
  get #isWaitedFor(): boolean {
    if (this.#isOver || this.#stop.signal.aborted) return false;
    return this.#isEnding || this.#length - this.#passedOn > windowBytes / 2;
  }

  #poll(): void {
    this.#polling ??= this.#watch()
      .catch(this.#options.onFailure)
      .finally(() => (this.#polling = undefined));
  }

  async #watch(): Promise<void> {
    let delayMs = pollMsMin;
    while (this.#isWaitedFor) {
      const before = this.#passedOn;
      this.#look();
      if (this.#isEnding && this.#passedOn >= this.#length) return this.#conclude();
      delayMs = this.#passedOn > before ? pollMsMin : Math.min(pollMsMax, 2 * delayMs);
      await pause(delayMs, this.#stop.signal);
    }
  }

  /** On record first, so that no other feeder is started when the agent ends here. */
  #conclude(): void {
    this.#ledger.appendClosed(this.#length);
    this.#feeder?.end();
    this.#options.onRoom();
  }

  /** Takes note of how much was passed on, and gives back the space of it. */
  #look(): void {
    if (this.#isOver) return;
    const passedOn = this.#feeder?.passedOn();
    if (passedOn === undefined) {
      // Somebody has killed it, or the command's monitor is gone.
      this.#feeder = undefined;
      return this.#options.onRoom();
    }
    this.#passedOn = passedOn;
    if (passedOn - this.#punched >= punchBytes) {
      punchHole(this.#file, { from: this.#punched, to: passedOn });
      this.#punched = passedOn;
    }
    if (passedOn - this.#told < windowBytes / 4 && passedOn < this.#length) return;
    if (passedOn === this.#told) return;
    this.#told = passedOn;
    this.#options.onRoom();
  }
}

function hole(have: number, seq: number): PodfleetError {
  return new PodfleetError(
    "UNAVAILABLE",
    `Cannot take input from byte ${seq}: has come up to ${have}, must go on from there`,
  );
}

function refused(reason: string): PodfleetError {
  return new PodfleetError("INVALID_INPUT", `Cannot take the input: ${reason}`);
}
