import { connectionIdSchema, containerIdSchema, sessionIdSchema } from "@podfleet/model/ids";
/**
 * Sessions of a host (model/session). `session.open` makes one or, when there is one of that id, resumes it; either way `connectionId`
 * becomes its only connection, and one that it had before is told so and dropped. The agent has sent nothing on the connection's
 * subject before it answers. Frames (stream/frame) go both ways from then on.
 */
import { commandExitSchema, sessionSchema, sessionSpecSchema } from "@podfleet/model/session";
import { z } from "zod";

export const sessionOpenRequestSchema = z.object({
  sessionId: sessionIdSchema,
  connectionId: connectionIdSchema,
  containerId: containerIdSchema,
  /** The caller whom the control plane has authenticated. */
  caller: z.string(),
  spec: sessionSpecSchema,
  /** There must be such a session: it has been open before. */
  resume: z.boolean().default(false),
  /** The client has the output up to here; when absent it goes on after what it had acknowledged. */
  offset: z.number().int().min(0).optional(),
  /** Credit for the beginning, in bytes of the journal after that offset. */
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
      /** The agent has all input before this byte; the client sends the rest, again where it must. */
      seq: z.number().int().min(0),
      /** The client may send up to here. */
      limit: z.number().int().min(0),
      /** The end of input has arrived. */
      ended: z.boolean(),
    })
    .optional(),
});
export type SessionOpenReply = z.infer<typeof sessionOpenReplySchema>;

export const sessionListRequestSchema = z.object({
  containerId: containerIdSchema.optional(),
  sessionId: sessionIdSchema.optional(),
  /** Those that have ended too, as long as they are kept. */
  all: z.boolean().default(false),
});

/** Oldest first. */
export const sessionListReplySchema = z.object({
  sessions: z.array(sessionSchema.extend({ exit: commandExitSchema.optional() })),
});

/** Ends the session; its client is told. The command runs on. Harmless when it has ended. */
export const sessionCloseRequestSchema = z.object({ sessionId: sessionIdSchema });

export const sessionCloseReplySchema = z.object({ session: sessionSchema });
