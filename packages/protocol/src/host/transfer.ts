/**
 * A stream of bytes out of a host, pulled piece by piece, so that the reader's pace is the source's:
 *
 *     transfer.open ──▶ transfer.read, transfer.read, … until `ended` ──▶ transfer.close
 *
 * Reads are sequential: `offset` is the `next` of the read before. The last read may be repeated as often as needed and
 * yields the same bytes, so a lost reply loses nothing. A transfer that is not read for `transferSilenceMaxMs` is dropped, as
 * it is when the agent restarts; reads answer TRANSFER_NOT_FOUND then. A lost reply to `transfer.open` leaves a transfer to
 * that fate. `transfer.close` may come at any time, and be repeated. Reads go over the connection for bulk.
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
  /** Where the next read begins. It is `offset` when the source had nothing to give for a while: read again. */
  next: z.coerce.number().int().min(0),
  /** `true` when `next` is the stream's end. */
  ended: z.enum(["true", "false"]).transform((text) => text === "true"),
});
export type TransferReadHeaders = z.infer<typeof transferReadHeadersSchema>;

export const transferCloseRequestSchema = z.object({ transferId: transferIdSchema });

export const transferCloseReplySchema = z.object({});
