import { sessionIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import { closeSession, listSessions } from "../services/sessions.ts";
import { containerReferenceSchema } from "./input.ts";
import { procedure, router } from "./trpc.ts";

const listInput = z
  .strictObject({
    /** Of this container; of all when absent. */
    container: containerReferenceSchema.optional(),
    session: sessionIdSchema.optional(),
    /** Those that have ended too, as long as they are kept. */
    all: z.boolean().default(false),
  })
  .prefault({});

const closeInput = z.strictObject({
  session: sessionIdSchema,
  /** Its container, which saves asking every host. */
  container: containerReferenceSchema.optional(),
});

/** Sessions (model/session). They are opened and resumed by a WebSocket (protocol/stream). */
export const sessionsRouter = router({
  /** Oldest first, with the hosts that did not answer. */
  list: procedure
    .input(listInput)
    .query(async ({ ctx, input }) => await listSessions(ctx.fleet, input)),

  /** Its client is told; the command runs on. Harmless when the session has ended. */
  close: procedure
    .input(closeInput)
    .mutation(async ({ ctx, input }) => await closeSession(ctx.fleet, input)),
});
