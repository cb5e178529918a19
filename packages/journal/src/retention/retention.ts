/**
 * Bounds what journals take on disk. The front of one that has grown too long is given back by punching a hole into the file, so offsets
 * stay what they are. Where what is kept begins, a record boundary, is on record before the hole is made: no reader takes zeros for
 * output.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";

import { attemptAll } from "@podfleet/base/attempt-all";
import type { Clock } from "@podfleet/base/clock";
import { hasErrno } from "@podfleet/base/errno";
import { invariant } from "@podfleet/base/invariant";
import { Loop, type LoopFailure } from "@podfleet/base/loop";
import { punchLargeHole } from "@podfleet/oci/process/punch-hole";

import { NEWLINE, recordBytesMax } from "../record/whole-length.ts";

export const journalBytesMaxDefault = 1024 ** 3;
/** A journal may exceed its bound by what is written in this time. */
const intervalMs = 500;
/** Journals whose front is given back at once. */
const punchesMax = 4;
/** Of the bound, how much of a journal that has reached it is given up at once. */
const givenUpPart = 1 / 16;
/** A hole begins where a block does: it is made so much longer at its front. */
const blockBytesMax = 64 * 1024;

export interface Journal {
  /** Of its container or exec session. */
  readonly id: string;
  readonly path: string;
}

/** Where the first kept offset of each journal is recorded durably, by the id of its container or exec session. */
export interface KeptFromTable {
  load(): Map<string, number>;
  save(id: string, keptFrom: number): void;
  remove(id: string): void;
}

export interface JournalRetentionOptions {
  readonly table: KeptFromTable;
  /** Of one journal. */
  readonly bytesMax: number;
  /** Those that are written to. */
  readonly growing: () => Journal[];
  /** Told why journals are not bounded, such as by a file system that has no holes. */
  readonly onFailure: (failure: LoopFailure) => void;
  readonly clock: Clock;
}

export class JournalRetention {
  readonly loop: Loop;
  readonly #options: JournalRetentionOptions;
  readonly #keptFrom: Map<string, number>;
  /** Where holes begin that could not be made yet. */
  readonly #unpunched = new Map<string, number>();
  /** Those that grew when they were last looked at: what was written before the end counts too. */
  #grew = new Map<string, Journal>();

  constructor(options: JournalRetentionOptions) {
    this.#options = options;
    this.#keptFrom = options.table.load();
    this.loop = new Loop({
      name: "journal-retention",
      intervalMs,
      clock: options.clock,
      run: async () => await this.#boundAll(),
      onFailure: options.onFailure,
    });
  }

  /** Offset of the first record that is kept of a journal. */
  keptFrom(id: string): number {
    return this.#keptFrom.get(id) ?? 0;
  }

  /** Forgets journals that are gone. */
  forgetUnless(isThere: (id: string) => boolean): void {
    for (const id of this.#keptFrom.keys()) {
      if (isThere(id)) continue;
      this.#keptFrom.delete(id);
      this.#unpunched.delete(id);
      this.#options.table.remove(id);
    }
  }

  async close(): Promise<void> {
    await this.loop.stop();
  }

  async #boundAll(): Promise<void> {
    const growing = new Map(this.#options.growing().map((journal) => [journal.id, journal]));
    const journals = new Map([...this.#grew, ...growing]).values();
    this.#grew = growing;
    await attemptAll(journals, async (journal) => await this.#bound(journal), punchesMax);
  }

  async #bound(journal: Journal): Promise<void> {
    try {
      const { bytesMax } = this.#options;
      const size = statSync(journal.path, { throwIfNoEntry: false })?.size ?? 0;
      const isTooLong = size - this.keptFrom(journal.id) > bytesMax;
      if (!isTooLong && !this.#unpunched.has(journal.id)) return;
      const file = openSync(journal.path, "r+");
      try {
        await this.#punch(journal.id, file);
        if (isTooLong) {
          this.#giveUp(journal.id, file, size - Math.floor(bytesMax * (1 - givenUpPart)));
          await this.#punch(journal.id, file);
        }
      } finally {
        closeSync(file);
      }
    } catch (error) {
      // It may be removed meanwhile.
      if (!hasErrno(error, "ENOENT")) throw error;
    }
  }

  /** Gives up what is before offset `about`, and the rest of the record that is there. */
  #giveUp(id: string, file: number, about: number): void {
    const before = this.keptFrom(id);
    const bytes = Buffer.allocUnsafe(recordBytesMax);
    const length = readSync(file, bytes, 0, bytes.length, about);
    const newline = bytes.subarray(0, length).indexOf(NEWLINE);
    if (newline < 0) return;
    const keptFrom = about + newline + 1;
    invariant(keptFrom > before, "the front that is kept moves on");
    this.#options.table.save(id, keptFrom);
    this.#keptFrom.set(id, keptFrom);
    this.#unpunched.set(id, Math.max(0, before - blockBytesMax));
  }

  /** Gives back the space of what was given up. No more is given up while that fails. */
  async #punch(id: string, file: number): Promise<void> {
    const from = this.#unpunched.get(id);
    if (from === undefined) return;
    await punchLargeHole(file, { from, to: this.keptFrom(id) });
    this.#unpunched.delete(id);
  }
}
