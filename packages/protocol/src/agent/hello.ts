/**
 * `hello`: an agent has connected. It is sent until the control plane replies, and again after each reconnect. The reply names the last
 * event in Postgres; the agent goes on after it. A name that another host has is refused with NAME_IN_USE.
 */
import { hostInfoSchema } from "@podfleet/model/host";
import { imageSchema } from "@podfleet/model/image";
import { z } from "zod";

export const helloRequestSchema = z.object({
  host: hostInfoSchema,
  /** Images of the host. */
  images: z.array(imageSchema),
});
export type HelloRequest = z.infer<typeof helloRequestSchema>;

export const helloReplySchema = z.object({ committedSeq: z.number().int().min(0) });
export type HelloReply = z.infer<typeof helloReplySchema>;
