import { getHost, listHosts } from "@podfleet/db/hosts";
import { z } from "zod";

import { hostReferenceSchema } from "./input.ts";
import { procedure, router } from "./trpc.ts";

export const hostsRouter = router({
  /** By name. */
  list: procedure.query(async ({ ctx }) => await listHosts(ctx.fleet.database)),

  inspect: procedure
    .input(z.strictObject({ host: hostReferenceSchema }))
    .query(async ({ ctx, input }) => await getHost(ctx.fleet.database, input.host)),
});
