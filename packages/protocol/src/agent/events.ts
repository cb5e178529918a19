/**
 * `events`: the next events of the host, in order. The agent keeps them until the reply says that they are committed, and sends them
 * again when there is no reply. The receiver ignores events that it already has.
 */
import { agentEventSchema } from "@podfleet/model/event";
import { z } from "zod";

export const eventsRequestSchema = z.object({ events: z.array(agentEventSchema).min(1).max(256) });
export type EventsRequest = z.infer<typeof eventsRequestSchema>;

export const eventsReplySchema = z.object({ committedSeq: z.number().int().min(0) });
export type EventsReply = z.infer<typeof eventsReplySchema>;
