import { firstExtraDescriptor } from "@podfleet/model/exec";
import { containerIdSchema, execIdSchema } from "@podfleet/model/ids";
/**
 * Reading the journal of a container or of an exec session in it by offset. `journal.locate` finds where to begin; `journal.read` returns whole records of
 * the journal file as they are (format: base/journal-record), so nothing between the file and the reader copies or
 * re-encodes output. The reply's payload is the records' bytes; these headers go with it.
 */
import { z } from "zod";

export const journalLocateRequestSchema = z.object({
  containerId: containerIdSchema,
  /** The session's journal instead of the container's own. */
  execId: execIdSchema.optional(),
  /** Start with the last so many lines. */
  tail: z.number().int().min(0).optional(),
  /** Start with the first record written at or after this time. */
  since: z.iso.datetime({ offset: true }).optional(),
});
export type JournalLocateRequest = z.infer<typeof journalLocateRequestSchema>;

export const journalLocateReplySchema = z.object({ offset: z.number().int().min(0) });
export type JournalLocateReply = z.infer<typeof journalLocateReplySchema>;

export const journalReadRequestSchema = z.object({
  containerId: containerIdSchema,
  /** The session's journal instead of the container's own. */
  execId: execIdSchema.optional(),
  /** What the session's command writes to this descriptor, one of those that `preserveFds` opened: bytes as they are, no records. */
  descriptor: z.number().int().min(firstExtraDescriptor).optional(),
  /** A record boundary: 0, a located offset, or the `next` of an earlier read. */
  offset: z.number().int().min(0),
  bytesMax: z
    .number()
    .int()
    .min(16 * 1024)
    .max(512 * 1024),
  /** Time to wait for output when there is none yet and the journal can still grow. */
  waitMs: z.number().int().min(0).max(60_000),
});
export type JournalReadRequest = z.infer<typeof journalReadRequestSchema>;

export const journalReadHeadersSchema = z.object({
  /** Where the bytes begin: later than asked for when what comes before is not kept any more. */
  offset: z.coerce.number().int().min(0),
  /** Where the next read begins. */
  next: z.coerce.number().int().min(0),
  /** `true` when `next` is the end and no run is under way that could add to it. */
  ended: z.enum(["true", "false"]).transform((text) => text === "true"),
});
export type JournalReadHeaders = z.infer<typeof journalReadHeadersSchema>;
