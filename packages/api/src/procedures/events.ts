import { listEvents } from "@podfleet/db/events";
import { eventTypeSchema } from "@podfleet/model/event";
import { tracked } from "@trpc/server";
import { z } from "zod";

import { watchEvents } from "../services/events.ts";
import { containerReferenceSchema, hostReferenceSchema, timeSchema } from "./input.ts";
import { never, procedure, router } from "./trpc.ts";

const filters = {
  since: timeSchema.optional(),
  container: containerReferenceSchema.optional(),
  host: hostReferenceSchema.optional(),
  types: z.array(eventTypeSchema).min(1).optional(),
};

const listInput = z
  .strictObject({
    ...filters,
    until: timeSchema.optional(),
    limit: z.number().int().min(1).max(10_000).default(1000),
  })
  .prefault({});

const watchInput = z
  .strictObject({
    ...filters,
    /** The position to go on after; it overrides `since`. Without both, only events yet to come are sent. */
    lastEventId: z
      .string()
      .regex(/^\d{1,15}$/, "must be a position")
      .optional(),
  })
  .prefault({});

export const eventsRouter = router({
  /** The last `limit` of those that fit, oldest first. */
  list: procedure.input(listInput).query(async ({ ctx, input }) => {
    const { since, until, ...rest } = input;
    const times = {
      since: since === undefined ? undefined : new Date(since),
      until: until === undefined ? undefined : new Date(until),
    };
    return await listEvents(ctx.fleet.database, { ...rest, ...times });
  }),

  /** In order of position and without gaps, until the caller goes away. */
  watch: procedure.input(watchInput).subscription(async function* ({ ctx, input, signal }) {
    const { lastEventId, since, ...rest } = input;
    const filters = { ...rest, since: since === undefined ? undefined : new Date(since) };
    const after = lastEventId === undefined ? undefined : Number(lastEventId);
    const request = { filters, after, caller: signal ?? never };
    for await (const event of watchEvents(ctx.fleet, ctx.feed, request)) {
      yield tracked(String(event.position), event);
    }
  }),
});
