import { operationIdSchema, traceIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import { procedure, router } from "./trpc.ts";

const getInput = z
  .strictObject({ traceId: traceIdSchema.optional(), operationId: operationIdSchema.optional() })
  .refine(
    ({ traceId, operationId }) => (traceId === undefined) !== (operationId === undefined),
    'must have either "traceId" or "operationId"',
  );

export const tracesRouter = router({
  get: procedure
    .input(getInput)
    .query(async ({ ctx, input }) => await ctx.services.traces.get(input)),
});
