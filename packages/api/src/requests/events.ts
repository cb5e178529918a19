import { eventTypeSchema } from "@podfleet/model/event-type";
import { z } from "zod";

import { containerReferenceSchema, hostReferenceSchema, timeSchema } from "./fields.ts";

const filters = {
  since: timeSchema.optional(),
  /** Name, id or id prefix; of removed containers too. */
  container: containerReferenceSchema.optional(),
  host: hostReferenceSchema.optional(),
  types: z.array(eventTypeSchema).min(1).optional(),
};

export const eventListInput = z
  .strictObject({
    ...filters,
    until: timeSchema.optional(),
    limit: z.number().int().min(1).max(10_000).default(1000),
  })
  .prefault({});
export type EventListRequest = z.output<typeof eventListInput>;

export const eventWatchInput = z
  .strictObject({
    ...filters,
    /** The position to resume after; it overrides `since`. Without both, only new events are sent. */
    lastEventId: z
      .string()
      .regex(/^\d{1,15}$/, "must be a position")
      .optional(),
  })
  .prefault({});
export type EventWatchRequest = Omit<z.output<typeof eventWatchInput>, "lastEventId"> & {
  /** The position to resume after; it overrides `since`. */
  readonly after?: number | undefined;
};
