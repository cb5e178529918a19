import { agentEventSchema } from "@podfleet/model/event";
/**
 * `events`: the next entries of the host's log, in order. The agent keeps them until the reply says that they are
 * committed, and sends them again when none comes. The receiver ignores entries that it already has.
 */
import { z } from "zod";

export const eventsRequestSchema = z.object({ events: z.array(agentEventSchema).min(1).max(256) });
export type EventsRequest = z.infer<typeof eventsRequestSchema>;

export const eventsReplySchema = z.object({ committedSeq: z.number().int().min(0) });
export type EventsReply = z.infer<typeof eventsReplySchema>;
