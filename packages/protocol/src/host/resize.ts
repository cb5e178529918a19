/** `container.resize`: sets the size of the terminal of a created or running container. */
import { terminalSizeSchema } from "@podfleet/model/exec";
import { containerIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const resizeRequestSchema = z.object({
  containerId: containerIdSchema,
  size: terminalSizeSchema,
});

export const resizeReplySchema = z.object({});
