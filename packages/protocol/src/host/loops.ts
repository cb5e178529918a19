/** `loops`: how the agent's background work fares. */
import { loopStatusSchema } from "@podfleet/model/loop-status";
import { z } from "zod";

export const loopsRequestSchema = z.object({});
export const loopsReplySchema = z.object({ loops: loopStatusSchema.array().max(100) });
