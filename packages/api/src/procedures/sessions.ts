import { sessionCloseInput, sessionListInput } from "../requests/sessions.ts";
import { procedure, router } from "./trpc.ts";

/** Sessions (model/session). A WebSocket opens and resumes them (protocol/stream). */
export const sessionsRouter = router({
  /** Lists sessions, oldest first, and the hosts that did not answer. */
  list: procedure
    .input(sessionListInput)
    .query(async ({ ctx, input }) => await ctx.services.sessions.list(input)),

  /** Ends a session and tells its client; the command runs on. Has no effect on a session that has ended. */
  close: procedure
    .input(sessionCloseInput)
    .mutation(async ({ ctx, input }) => await ctx.services.sessions.close(input)),
});
