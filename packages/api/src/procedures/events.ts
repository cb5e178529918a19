import { tracked } from "@trpc/server";

import { eventListInput, eventWatchInput } from "../requests/events.ts";
import { never, procedure, router } from "./trpc.ts";

export const eventsRouter = router({
  /** Lists the last `limit` matching events, oldest first. */
  list: procedure
    .input(eventListInput)
    .query(async ({ ctx, input }) => await ctx.services.events.list(input)),

  /** Yields events in order of position and without gaps, until the caller goes away. */
  watch: procedure.input(eventWatchInput).subscription(async function* ({
    ctx,
    input,
    signal = never,
  }) {
    const { lastEventId, ...filters } = input;
    const after = lastEventId === undefined ? undefined : Number(lastEventId);
    for await (const event of ctx.services.events.watch({ ...filters, after }, signal)) {
      yield tracked(String(event.position), event);
    }
  }),
});
