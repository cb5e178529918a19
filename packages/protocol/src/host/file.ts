/** What is at a path in a container's root filesystem, which is mounted for the time of the answer when it is not. */
import { containerPathSchema, fileStatSchema } from "@podfleet/model/file";
import { containerIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const statRequestSchema = z.object({
  containerId: containerIdSchema,
  path: containerPathSchema,
});

/** Without `stat` there is nothing at the path. */
export const statReplySchema = z.object({ stat: fileStatSchema.optional() });
