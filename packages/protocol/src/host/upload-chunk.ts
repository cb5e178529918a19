/**
 * `upload.chunk`: one piece of an archive that a later operation names; the payload is its bytes. The agent appends a chunk whose
 * `offset` is the length that it has, ignores one that it has already, and replies with the length that it has then. Chunks use the
 * bulk link. An upload that gets no chunk for ten minutes is dropped.
 */
import { operationIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const uploadChunkHeadersSchema = z.object({
  uploadId: operationIdSchema,
  offset: z.coerce.number().int().min(0),
});
export type UploadChunkHeaders = z.infer<typeof uploadChunkHeadersSchema>;

export const uploadChunkBytesMax = 512 * 1024;

export const uploadChunkReplySchema = z.object({ length: z.number().int().min(0) });
export type UploadChunkReply = z.infer<typeof uploadChunkReplySchema>;
