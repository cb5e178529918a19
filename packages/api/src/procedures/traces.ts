import { traceGetInput } from "../requests/traces.ts";
import { procedure, router } from "./trpc.ts";

export const tracesRouter = router({
  /** The stored spans of a trace, or of the trace that an operation was part of. */
  get: procedure
    .input(traceGetInput)
    .query(async ({ ctx, input }) => await ctx.services.traces.get(input)),
});
