import { type JournalPosition, locateJournal } from "@podfleet/journal/record/locate";
import { type JournalPiece, readJournal } from "@podfleet/journal/record/read";

import { findJournal, type JournalReference, type JournalSources } from "./journal-source.ts";

export interface JournalRequest extends JournalReference {
  /** A record boundary: 0, a located offset, or the `next` of an earlier read. */
  readonly offset: number;
  /** At least one record's length, 16 KiB. */
  readonly bytesMax: number;
  readonly waitMs: number;
}

export type JournalSearch = Omit<JournalPosition, "keptFrom"> &
  Omit<JournalReference, "descriptor">;

/** Reads the output of containers and exec sessions. That of a removed container can be read for ten more minutes. */
export class OutputReader {
  readonly #sources: JournalSources;

  constructor(sources: JournalSources) {
    this.#sources = sources;
  }

  /**
   * Finds the offset of the last `tail` lines, or of the first record written at or after `since`.
   * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND
   */
  async locate({
    containerId,
    execId,
    ...position
  }: JournalSearch): Promise<{ readonly offset: number }> {
    const { path, keptFrom } = findJournal(this.#sources, { containerId, execId });
    return { offset: await locateJournal(path, { ...position, keptFrom: keptFrom() }) };
  }

  /**
   * Reads records from `offset` on; waits for some when there are none yet and a run may still write some.
   * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND; INVALID_INPUT when `offset` is not a record boundary
   */
  async read(request: JournalRequest, signal?: AbortSignal): Promise<JournalPiece> {
    const { path, ...growth } = findJournal(this.#sources, request);
    const { offset, bytesMax, waitMs } = request;
    return await readJournal(path, { offset, bytesMax, waitMs, ...growth }, signal);
  }
}
