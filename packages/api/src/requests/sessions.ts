import { sessionIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import { containerReferenceSchema } from "./fields.ts";

export const sessionListInput = z
  .strictObject({
    /** The container; all when absent. The full id also finds a container that was removed lately. */
    container: containerReferenceSchema.optional(),
    session: sessionIdSchema.optional(),
    /** Includes sessions that have ended, as long as they are kept. */
    all: z.boolean().default(false),
  })
  .prefault({});
export type SessionListRequest = z.output<typeof sessionListInput>;

export const sessionCloseInput = z.strictObject({
  session: sessionIdSchema,
  /** The session's container; when given, only its host is asked. */
  container: containerReferenceSchema.optional(),
});
export type SessionCloseRequest = z.output<typeof sessionCloseInput>;
