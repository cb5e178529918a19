/** `artifact.list`: the files kept with a container. Adding and removing one are operations (`do`); a transfer reads one. */
import { artifactSchema } from "@podfleet/model/artifact";
import { containerIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const artifactListRequestSchema = z.object({ containerId: containerIdSchema });

/** Ordered by name. */
export const artifactListReplySchema = z.object({ artifacts: z.array(artifactSchema) });
