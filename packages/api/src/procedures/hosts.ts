import { z } from "zod";

import { hostReferenceSchema } from "../requests/fields.ts";
import { procedure, router } from "./trpc.ts";

export const hostsRouter = router({
  /** Lists hosts by name. */
  list: procedure.query(async ({ ctx }) => await ctx.services.hosts.list()),

  inspect: procedure
    .input(z.strictObject({ host: hostReferenceSchema }))
    .query(async ({ ctx, input }) => await ctx.services.hosts.inspect(input.host)),
});
