import { hostInfoSchema } from "@podfleet/model/host";
import { imageSchema } from "@podfleet/model/image";
/**
 * `hello`: an agent has connected. Sent until the control plane answers, and again after each reconnect. The reply names the last event
 * that Postgres holds, so the agent goes on from there. A name that another host has is refused with NAME_IN_USE.
 */
import { z } from "zod";

export const helloRequestSchema = z.object({
  host: hostInfoSchema,
  /** All images that the host holds. */
  images: z.array(imageSchema),
});
export type HelloRequest = z.infer<typeof helloRequestSchema>;

export const helloReplySchema = z.object({ committedSeq: z.number().int().min(0) });
export type HelloReply = z.infer<typeof helloReplySchema>;
