/** What a running container's processes are, and what they use: read from the kernel at each request. */
import { containerProcessSchema, containerUsageSchema } from "@podfleet/model/container/usage";
import { containerIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const topRequestSchema = z.object({ containerId: containerIdSchema });

/** By pid. */
export const topReplySchema = z.object({ processes: z.array(containerProcessSchema) });

export const statsRequestSchema = z.object({ containerId: containerIdSchema });

export const statsReplySchema = z.object({ usage: containerUsageSchema });
