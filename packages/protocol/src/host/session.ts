/**
 * `session.*`: the sessions of a host (model/session). `session.open` makes a session or resumes the one with that id. `connectionId`
 * becomes its only connection; an earlier one is told so and dropped. The agent sends frames (stream/frame) on the connection's subject
 * only after it has replied; from then on they go in both directions.
 */
import { connectionIdSchema, containerIdSchema, sessionIdSchema } from "@podfleet/model/ids";
import { commandExitSchema, sessionSchema, sessionSpecSchema } from "@podfleet/model/session";
import { z } from "zod";

export const sessionOpenRequestSchema = z.object({
  sessionId: sessionIdSchema,
  connectionId: connectionIdSchema,
  containerId: containerIdSchema,
  /** The caller whom the control plane has authenticated. */
  caller: z.string(),
  spec: sessionSpecSchema,
  /** The session must exist: it is resumed, not made. */
  resume: z.boolean().default(false),
  /** Offset up to which the client has the output; when absent, output begins after what the client has acknowledged. */
  offset: z.number().int().min(0).optional(),
  /** Initial credit, in bytes of the journal after that offset. */
  window: z.number().int().min(0),
});
export type SessionOpenRequest = z.infer<typeof sessionOpenRequestSchema>;

export const sessionOpenReplySchema = z.object({
  session: sessionSchema,
  /** Offset in the journal at which output begins on this connection. */
  offset: z.number().int().min(0),
  /** Absent when the command takes no input from this session. */
  input: z
    .object({
      /** Input byte up to which the agent has all input; the client sends the rest, again if necessary. */
      seq: z.number().int().min(0),
      /** Input byte up to which the client may send. */
      limit: z.number().int().min(0),
      /** The agent has received the end of input. */
      ended: z.boolean(),
    })
    .optional(),
});
export type SessionOpenReply = z.infer<typeof sessionOpenReplySchema>;

export const sessionListRequestSchema = z.object({
  containerId: containerIdSchema.optional(),
  sessionId: sessionIdSchema.optional(),
  /** Includes ended sessions that are still kept. */
  all: z.boolean().default(false),
});

/** Sessions, oldest first. */
export const sessionListReplySchema = z.object({
  sessions: z.array(sessionSchema.extend({ exit: commandExitSchema.optional() })),
});

/** `session.close`: ends the session and tells its client; the command runs on. Idempotent. */
export const sessionCloseRequestSchema = z.object({ sessionId: sessionIdSchema });

export const sessionCloseReplySchema = z.object({ session: sessionSchema });
