/**
 * `do`: performs one operation on the host. The agent journals it before it acts, acts once, and replies with the outcome. A
 * duplicate of a finished operation gets the stored outcome; a duplicate of a running one waits for it. Another request
 * with the same id gets CONFLICT. The sender may retry at any time.
 */
import { actionSchema } from "@podfleet/model/action";
import { operationIdSchema } from "@podfleet/model/ids";
import { operationOutcomeSchema } from "@podfleet/model/operation";
import { z } from "zod";

export const doRequestSchema = z.object({ operationId: operationIdSchema, action: actionSchema });
export type DoRequest = z.infer<typeof doRequestSchema>;

export const doReplySchema = z.object({ outcome: operationOutcomeSchema });
export type DoReply = z.infer<typeof doReplySchema>;
