/** `heartbeat`: published without a reply every `heartbeatIntervalMs`. */
import { z } from "zod";

export const heartbeatSchema = z.object({
  /** Number of containers by state. */
  containers: z.record(z.string(), z.number().int().min(0)),
  /** Sequence number of the host's last event. */
  seq: z.number().int().min(0),
});
export type Heartbeat = z.infer<typeof heartbeatSchema>;
