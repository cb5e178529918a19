/** `ping`: checks that the agent answers. It replies with an empty object and sends a heartbeat. */
import { z } from "zod";

export const pingRequestSchema = z.object({});
export const pingReplySchema = z.object({});
