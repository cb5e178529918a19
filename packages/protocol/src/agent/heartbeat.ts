/** `heartbeat`: published without a reply every `heartbeatIntervalMs`. */
import { z } from "zod";

export const heartbeatSchema = z.object({
  /** Containers by state. */
  containers: z.record(z.string(), z.number().int().min(0)),
  /** Last event of the host's log. */
  seq: z.number().int().min(0),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;
