/**
 * `transfer.*`: a stream of bytes out of a host, which the reader pulls piece by piece and so at its own pace:
 *
 *     transfer.open ──▶ transfer.read, transfer.read, … until `ended` ──▶ transfer.close
 *
 * Reads are sequential: `offset` is the `next` of the read before. The last read may be repeated as often as needed and
 * yields the same bytes, so a lost reply loses nothing. A transfer that is not read for `transferSilenceMaxMs` is dropped, as
 * it is when the agent restarts; reads answer TRANSFER_NOT_FOUND then. The same happens to
 * a transfer when the reply to `transfer.open` is lost. `transfer.close` is valid at any time and idempotent. Reads use the bulk link.
 */
import { transferIdSchema, transferRequestSchema } from "@podfleet/model/transfer";
import { z } from "zod";

export const transferOpenRequestSchema = transferRequestSchema;

export const transferOpenReplySchema = z.object({ transferId: transferIdSchema });

export const transferBytesMax = 512 * 1024;

export const transferReadRequestSchema = z.object({
  transferId: transferIdSchema,
  offset: z.number().int().min(0),
  bytesMax: z.number().int().min(1).max(transferBytesMax),
});
export type TransferReadRequest = z.infer<typeof transferReadRequestSchema>;

export const transferReadHeadersSchema = z.object({
  /** Offset of the next read. It equals `offset` when the source had no bytes for a while: read again. */
  next: z.coerce.number().int().min(0),
  /** `true` when `next` is the end of the stream. */
  ended: z.enum(["true", "false"]).transform((text) => text === "true"),
});
export type TransferReadHeaders = z.infer<typeof transferReadHeadersSchema>;

export const transferCloseRequestSchema = z.object({ transferId: transferIdSchema });

export const transferCloseReplySchema = z.object({});
