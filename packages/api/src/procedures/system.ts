import { protocolVersion } from "@podfleet/protocol/protocol-version";

import { version } from "../version.ts";
import { procedure, router } from "./trpc.ts";

export const systemRouter = router({
  info: procedure.query(({ ctx }) => ({
    version,
    protocolVersion,
    caller: { name: ctx.caller.name },
  })),
});
