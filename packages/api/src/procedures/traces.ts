import { operationIdSchema, traceIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import { procedure, router } from "./trpc.ts";

const getInput = z.union(
  [z.strictObject({ traceId: traceIdSchema }), z.strictObject({ operationId: operationIdSchema })],
  { error: 'must have either "traceId" or "operationId"' },
);

export const tracesRouter = router({
  /** The stored spans of a trace, or of the trace that an operation was part of. */
  get: procedure.input(getInput).query(async ({ ctx, input }) => await ctx.traces.get(input)),
});
