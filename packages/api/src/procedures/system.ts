import { protocolVersion } from "@podfleet/protocol/protocol-version";

import { procedure, router } from "./trpc.ts";

export const systemRouter = router({
  info: procedure.query(({ ctx }) => ({
    version: ctx.services.system.version,
    protocolVersion,
    caller: { name: ctx.caller.name },
  })),

  loops: procedure.query(async ({ ctx }) => await ctx.services.system.loops()),
});
