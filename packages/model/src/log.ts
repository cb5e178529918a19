import { z } from "zod";

/** A part of a journal, as a caller reads it. */
export const logChunkSchema = z.object({
  /** Whole journal records (base/journal-record); of a descriptor, its bytes. */
  bytes: z.custom<Uint8Array>((value) => value instanceof Uint8Array, "must be bytes"),
  /** Offset after them. */
  next: z.number().int().min(0),
  /** Offsets of what comes before `bytes` and is not kept any more. */
  gap: z.object({ from: z.number().int().min(0), to: z.number().int().min(0) }).optional(),
});
export type LogChunk = z.infer<typeof logChunkSchema>;
