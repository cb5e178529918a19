import { operationStatuses } from "@podfleet/model/operation";
import { z } from "zod";

import { containerReferenceSchema, hostReferenceSchema } from "./fields.ts";

export const operationListInput = z
  .strictObject({
    limit: z.number().int().min(1).max(10_000).default(50),
    /** Name, id or id prefix; of removed containers too. */
    container: containerReferenceSchema.optional(),
    host: hostReferenceSchema.optional(),
    status: z.enum(operationStatuses).optional(),
  })
  .prefault({});
export type OperationListRequest = z.output<typeof operationListInput>;
