/**
 * `operation.settle`: asks for the outcome of an operation whose reply was lost. `unknown` is final: the agent records the id as refused
 * before it replies, so a request that is still under way on the network never takes effect afterwards.
 */
import { operationIdSchema } from "@podfleet/model/ids";
import { operationOutcomeSchema } from "@podfleet/model/operation";
import { z } from "zod";

export const settleRequestSchema = z.object({ operationId: operationIdSchema });
export type SettleRequest = z.infer<typeof settleRequestSchema>;

export const settleReplySchema = z.discriminatedUnion("state", [
  z.object({ state: z.literal("finished"), outcome: operationOutcomeSchema }),
  z.object({ state: z.literal("running") }),
  z.object({ state: z.literal("unknown") }),
]);
export type SettleReply = z.infer<typeof settleReplySchema>;
