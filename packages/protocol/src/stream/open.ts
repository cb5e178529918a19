/** How a client's connection to a session begins: the JSON of the frames `open` and `opened`. */
import { containerIdSchema, hostIdSchema, sessionIdSchema } from "@podfleet/model/ids";
import { sessionSpecSchema } from "@podfleet/model/session";
import { z } from "zod";

import { sessionOpenReplySchema } from "../host/session.ts";

export const openRequestSchema = z.strictObject({
  session: sessionIdSchema,
  /** Name, id or id prefix. */
  container: z.string().min(1).max(253),
  spec: sessionSpecSchema,
  /** The session must be there; without, it is made when it is not. */
  resume: z.boolean().default(false),
  /** The client has the output up to here; when absent it goes on after what it had acknowledged. */
  offset: z.number().int().min(0).optional(),
  window: z.number().int().min(0),
  /** W3C trace context: a browser cannot set the header on a WebSocket. */
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
/** A further subprotocol that holds the API token, as a browser cannot set the header `authorization` either. */
export const tokenSubprotocolPrefix = "podfleet.token.";
