/**
 * `journal.locate` and `journal.read`: the journal of a container, or of an exec session in it, by offset. `journal.locate` finds the
 * offset to begin at; `journal.read` returns whole records of the journal file unchanged (format: base/journal-record), so that nothing
 * between the file and the reader re-encodes output. The payload of the reply is the records' bytes, with these headers.
 */
import { firstExtraDescriptor } from "@podfleet/model/exec";
import { containerIdSchema, execIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const journalLocateRequestSchema = z.object({
  containerId: containerIdSchema,
  /** Selects the session's journal instead of the container's own. */
  execId: execIdSchema.optional(),
  /** Start with the last lines, this many. */
  tail: z.number().int().min(0).optional(),
  /** Start with the first record written at or after this time. */
  since: z.iso.datetime({ offset: true }).optional(),
});
export type JournalLocateRequest = z.infer<typeof journalLocateRequestSchema>;

export const journalLocateReplySchema = z.object({ offset: z.number().int().min(0) });
export type JournalLocateReply = z.infer<typeof journalLocateReplySchema>;

export const journalReadRequestSchema = z.object({
  containerId: containerIdSchema,
  /** Selects the session's journal instead of the container's own. */
  execId: execIdSchema.optional(),
  /** Selects raw bytes that the session's command writes to this descriptor, one that `preserveFds` opened, instead of records. */
  descriptor: z.number().int().min(firstExtraDescriptor).optional(),
  /** A record boundary: 0, a located offset, or the `next` of an earlier read. */
  offset: z.number().int().min(0),
  bytesMax: z
    .number()
    .int()
    .min(16 * 1024)
    .max(512 * 1024),
  /** Longest wait for output when there is none yet and the journal can still grow. */
  waitMs: z.number().int().min(0).max(60_000),
});
export type JournalReadRequest = z.infer<typeof journalReadRequestSchema>;

export const journalReadHeadersSchema = z.object({
  /** Offset of the first byte: higher than the requested one when earlier output is no longer kept. */
  offset: z.coerce.number().int().min(0),
  /** Offset of the next read. */
  next: z.coerce.number().int().min(0),
  /** `true` when `next` is the end and no run is under way that could add output. */
  ended: z.enum(["true", "false"]).transform((text) => text === "true"),
});
export type JournalReadHeaders = z.infer<typeof journalReadHeadersSchema>;
