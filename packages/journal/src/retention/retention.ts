/**
 * Bounds the space of journals on disk. The front of a journal that has grown too long is freed by punching a hole into the file, so
 * offsets do not change. The offset at which the kept part begins, a record boundary, is recorded before the hole is made, so no reader
 * takes zeros for output.
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
/** The time between checks: a journal may exceed its bound by the output of that time. */
const intervalMs = 500;
/** The number of journals that are freed at the same time. */
const punchesMax = 4;
/** The part of the bound that is freed when a journal reaches it. */
const givenUpPart = 1 / 16;
/** The length by which a hole reaches back, since only whole blocks are freed. */
const blockBytesMax = 64 * 1024;

export interface Journal {
  /** Id of its container or exec session. */
  readonly id: string;
  readonly path: string;
}

/** A durable table of the first kept offset of each journal, by the id of its container or exec session. */
export interface KeptFromTable {
  load(): Map<string, number>;
  save(id: string, keptFrom: number): void;
  remove(id: string): void;
}

export interface JournalRetentionOptions {
  readonly table: KeptFromTable;
  /** The bound of one journal. */
  readonly bytesMax: number;
  /** Lists the journals that are written to. */
  readonly growing: () => Journal[];
  /** Called when journals cannot be bounded, such as on a file system without holes. */
  readonly onFailure: (failure: LoopFailure) => void;
  readonly clock: Clock;
}

export class JournalRetention {
  readonly loop: Loop;
  readonly #options: JournalRetentionOptions;
  readonly #keptFrom: Map<string, number>;
  /** Offsets at which holes begin that could not be made yet. */
  readonly #unpunched = new Map<string, number>();
  /** The journals that grew at the last check: their monitors may have written more before they ended. */
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

  /** Returns the offset of the first record that is kept of a journal. */
  keptFrom(id: string): number {
    return this.#keptFrom.get(id) ?? 0;
  }

  /** Deletes the offsets of journals that do not exist any more. */
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
    const journals = new Map([...this.#grew, ...growing]);
    try {
      await attemptAll(
        journals.values(),
        async (journal) => await this.#bound(journal),
        punchesMax,
      );
    } finally {
      const isLookedAtAgain = (id: string): boolean => growing.has(id) || this.#unpunched.has(id);
      this.#grew = new Map([...journals].filter(([id]) => isLookedAtAgain(id)));
    }
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

  /** Records that the journal is kept from the first record boundary after offset `about` on. */
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

  /** Frees the space before the kept part. No more is given up while that fails. */
  async #punch(id: string, file: number): Promise<void> {
    const from = this.#unpunched.get(id);
    if (from === undefined) return;
    await punchLargeHole(file, { from, to: this.keptFrom(id) });
    this.#unpunched.delete(id);
  }
}
