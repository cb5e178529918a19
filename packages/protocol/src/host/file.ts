/** `stat`: the file at a path in a container's root filesystem, which the agent mounts for this if necessary. */
import { containerPathSchema, fileStatSchema } from "@podfleet/model/file";
import { containerIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const statRequestSchema = z.object({
  containerId: containerIdSchema,
  path: containerPathSchema,
});

/** `stat` is absent when nothing is at the path. */
export const statReplySchema = z.object({ stat: fileStatSchema.optional() });
