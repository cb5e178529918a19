/** What a host can be asked to send as a stream of bytes. */
import { z } from "zod";

import { containerIdSchema } from "./ids.ts";

/** Names an open transfer to the agent that has it. */
export const transferIdSchema = z.uuid().brand<"TransferId">();
export type TransferId = z.infer<typeof transferIdSchema>;

export const transferRequestSchema = z.discriminatedUnion("kind", [
  /** The archive that the container's last checkpoint made. */
  z.object({ kind: z.literal("checkpoint"), containerId: containerIdSchema }),
]);
export type TransferRequest = z.infer<typeof transferRequestSchema>;

/** A transfer that nobody reads for so long is dropped, with all that was done for it. */
export const transferSilenceMaxMs = 60_000;
