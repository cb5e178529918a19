/** The JSON of the frames `open` and `opened`, which begin a client's connection to a session. */
import { containerIdSchema, hostIdSchema, sessionIdSchema } from "@podfleet/model/ids";
import { sessionSpecSchema } from "@podfleet/model/session";
import { z } from "zod";

import { sessionOpenReplySchema } from "../host/session.ts";

export const openRequestSchema = z.strictObject({
  session: sessionIdSchema,
  /** Name, id or id prefix. */
  container: z.string().min(1).max(253),
  spec: sessionSpecSchema,
  /** Whether the session must exist; when false it is created if it does not. */
  resume: z.boolean().default(false),
  /** The offset after the output that the client has; when absent the session goes on after the last acknowledgement. */
  offset: z.number().int().min(0).optional(),
  window: z.number().int().min(0),
  /** The W3C trace context, because a browser cannot set the header on a WebSocket. */
  traceparent: z.string().max(128).optional(),
});
export type OpenRequest = z.infer<typeof openRequestSchema>;

export const openedSchema = sessionOpenReplySchema.extend({
  container: z.object({ id: containerIdSchema, name: z.string() }),
  host: z.object({ id: hostIdSchema, name: z.string() }),
});
export type Opened = z.infer<typeof openedSchema>;

/** The WebSocket's path and its subprotocol. */
export const streamPath = "/sessions/stream";
export const streamSubprotocol = "podfleet.stream.v1";
/** The prefix of a further subprotocol that holds the API token, because a browser cannot set the header `authorization`. */
export const tokenSubprotocolPrefix = "podfleet.token.";
