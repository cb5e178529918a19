import { operationIdSchema } from "@podfleet/model/ids";
/**
 * `image.chunk`: one piece of an image archive, its bytes as the payload. The agent appends it when `offset` is the
 * length it holds, ignores one it already has, and replies with the length it holds then. Sent on the connection for
 * bulk. An upload without a chunk for ten minutes is dropped.
 */
import { z } from "zod";

export const imageChunkHeadersSchema = z.object({
  uploadId: operationIdSchema,
  offset: z.coerce.number().int().min(0),
});
export type ImageChunkHeaders = z.infer<typeof imageChunkHeadersSchema>;

export const imageChunkBytesMax = 512 * 1024;

export const imageChunkReplySchema = z.object({ length: z.number().int().min(0) });
export type ImageChunkReply = z.infer<typeof imageChunkReplySchema>;
