/** `top` and `stats`: the processes of a running container and their resource usage, read from the kernel at each request. */
import { containerProcessSchema, containerUsageSchema } from "@podfleet/model/container/usage";
import { containerIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const topRequestSchema = z.object({ containerId: containerIdSchema });

/** Ordered by pid. */
export const topReplySchema = z.object({ processes: z.array(containerProcessSchema) });

export const statsRequestSchema = z.object({ containerId: containerIdSchema });

export const statsReplySchema = z.object({ usage: containerUsageSchema });
