import { sessionIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import { containerReferenceSchema } from "./fields.ts";

export const sessionListInput = z
  .strictObject({
    /** Of this container; of all when absent. The full id finds one that was removed lately too. */
    container: containerReferenceSchema.optional(),
    session: sessionIdSchema.optional(),
    /** Those that have ended too, as long as they are kept. */
    all: z.boolean().default(false),
  })
  .prefault({});
export type SessionListRequest = z.output<typeof sessionListInput>;

export const sessionCloseInput = z.strictObject({
  session: sessionIdSchema,
  /** Its container, which saves asking every host. */
  container: containerReferenceSchema.optional(),
});
export type SessionCloseRequest = z.output<typeof sessionCloseInput>;
