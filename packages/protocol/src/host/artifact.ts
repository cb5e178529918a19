/** The files that are kept with a container. Adding and removing one are operations (`do`); one is read by a transfer. */
import { artifactSchema } from "@podfleet/model/artifact";
import { containerIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const artifactListRequestSchema = z.object({ containerId: containerIdSchema });

/** By name. */
export const artifactListReplySchema = z.object({ artifacts: z.array(artifactSchema) });
