import { execSessionSchema, terminalSizeSchema } from "@podfleet/model/exec";
import { containerIdSchema, execIdSchema } from "@podfleet/model/ids";
/**
 * A container's exec sessions, as last committed; none of these takes the container's lock. Sessions of a container that was removed
 * not long ago still answer. Starting, killing and removing one are operations (`do`); its output is read with
 * `journal.locate` and `journal.read`.
 */
import { z } from "zod";

export const execListRequestSchema = z.object({ containerId: containerIdSchema });

/** Oldest first; those that have ended too, as long as they are kept. */
export const execListReplySchema = z.object({ sessions: z.array(execSessionSchema) });

const onSession = { containerId: containerIdSchema, execId: execIdSchema };

export const execInspectRequestSchema = z.object(onSession);

export const execInspectReplySchema = z.object({ session: execSessionSchema });

/** A long poll for the end of the session: the agent answers as soon as it has ended, and with the session as it is after `timeoutMs`. */
export const execWaitRequestSchema = z.object({
  ...onSession,
  timeoutMs: z.number().int().min(0).max(60_000),
});

export const execWaitReplySchema = z.object({ session: execSessionSchema });

/** Sets the size of the session's terminal. */
export const execResizeRequestSchema = z.object({ ...onSession, size: terminalSizeSchema });

export const execResizeReplySchema = z.object({});
