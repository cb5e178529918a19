import { operationIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import { operationListInput } from "../requests/operations.ts";
import { procedure, router } from "./trpc.ts";

export const operationsRouter = router({
  /** Lists operations, newest first. */
  list: procedure
    .input(operationListInput)
    .query(async ({ ctx, input }) => await ctx.services.operations.list(input)),

  get: procedure
    .input(z.strictObject({ operationId: operationIdSchema }))
    .query(async ({ ctx, input }) => await ctx.services.operations.get(input.operationId)),
});
