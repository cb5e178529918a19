import { operationIdSchema } from "@podfleet/model/ids";
/**
 * `upload.chunk`: one piece of an archive that an operation will name, its bytes as the payload. The agent appends it when
 * `offset` is the length it holds, ignores one it already has, and replies with the length it holds then. Sent on the
 * connection for bulk. An upload without a chunk for ten minutes is dropped.
 */
import { z } from "zod";

export const uploadChunkHeadersSchema = z.object({
  uploadId: operationIdSchema,
  offset: z.coerce.number().int().min(0),
});
export type UploadChunkHeaders = z.infer<typeof uploadChunkHeadersSchema>;

export const uploadChunkBytesMax = 512 * 1024;

export const uploadChunkReplySchema = z.object({ length: z.number().int().min(0) });
export type UploadChunkReply = z.infer<typeof uploadChunkReplySchema>;
