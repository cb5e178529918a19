/** What a host can be asked to send as a stream of bytes. */
import { z } from "zod";

import { artifactNameSchema } from "./artifact.ts";
import { containerPathSchema } from "./file.ts";
import { containerIdSchema } from "./ids.ts";

/** Names an open transfer to the agent that has it. */
export const transferIdSchema = z.uuid().brand<"TransferId">();
export type TransferId = z.infer<typeof transferIdSchema>;

export const transferRequestSchema = z.discriminatedUnion("kind", [
  /** The archive that the container's last checkpoint made. */
  z.object({ kind: z.literal("checkpoint"), containerId: containerIdSchema }),
  /** The container's root filesystem, as a tar archive. */
  z.object({ kind: z.literal("export"), containerId: containerIdSchema }),
  /**
   * What is at a path in the container, as a tar archive. Its entries begin with the path's last part; for a path that ends
   * with `/.`, and for the root, with `.`.
   */
  z.object({
    kind: z.literal("copy"),
    containerId: containerIdSchema,
    path: containerPathSchema,
  }),
  /** How the container's root filesystem differs from its image: a FileChange (model/file) as JSON on each line, by path. */
  z.object({ kind: z.literal("diff"), containerId: containerIdSchema }),
  z.object({
    kind: z.literal("artifact"),
    containerId: containerIdSchema,
    name: artifactNameSchema,
  }),
]);
export type TransferRequest = z.infer<typeof transferRequestSchema>;

/** A transfer that nobody reads for so long is dropped, with all that was done for it. */
export const transferSilenceMaxMs = 60_000;
