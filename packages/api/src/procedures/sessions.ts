import { sessionCloseInput, sessionListInput } from "../requests/sessions.ts";
import { procedure, router } from "./trpc.ts";

/** Sessions (model/session). They are opened and resumed by a WebSocket (protocol/stream). */
export const sessionsRouter = router({
  /** Oldest first, with the hosts that did not answer. */
  list: procedure
    .input(sessionListInput)
    .query(async ({ ctx, input }) => await ctx.services.sessions.list(input)),

  /** Its client is told; the command runs on. Harmless when the session has ended. */
  close: procedure
    .input(sessionCloseInput)
    .mutation(async ({ ctx, input }) => await ctx.services.sessions.close(input)),
});
