import { getOperation, listOperations } from "@podfleet/db/operations";
import { operationIdSchema } from "@podfleet/model/ids";
import { operationStatuses } from "@podfleet/model/operation";
import { z } from "zod";

import { containerReferenceSchema, hostReferenceSchema } from "./input.ts";
import { procedure, router } from "./trpc.ts";

const listInput = z
  .strictObject({
    limit: z.number().int().min(1).max(10_000).default(50),
    container: containerReferenceSchema.optional(),
    host: hostReferenceSchema.optional(),
    status: z.enum(operationStatuses).optional(),
  })
  .prefault({});

export const operationsRouter = router({
  /** Newest first. */
  list: procedure
    .input(listInput)
    .query(async ({ ctx, input }) => await listOperations(ctx.fleet.database, input)),

  get: procedure
    .input(z.strictObject({ operationId: operationIdSchema }))
    .query(async ({ ctx, input }) => await getOperation(ctx.fleet.database, input.operationId)),
});
