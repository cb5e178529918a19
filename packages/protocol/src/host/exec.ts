/**
 * `exec.*`: a container's exec sessions as last committed. These requests take no lock of the container, and also work for a container
 * that was removed not long ago. Starting, killing and removing a session are operations (`do`); its output is read with
 * `journal.locate` and `journal.read`.
 */
import { execSessionSchema, terminalSizeSchema } from "@podfleet/model/exec";
import { containerIdSchema, execIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const execListRequestSchema = z.object({ containerId: containerIdSchema });

/** Sessions, oldest first, with the ended ones that are still kept. */
export const execListReplySchema = z.object({ sessions: z.array(execSessionSchema) });

const onSession = { containerId: containerIdSchema, execId: execIdSchema };

export const execInspectRequestSchema = z.object(onSession);

export const execInspectReplySchema = z.object({ session: execSessionSchema });

/** A long poll: the agent answers when the session has ended, or after `timeoutMs` with the session as it is. */
export const execWaitRequestSchema = z.object({
  ...onSession,
  timeoutMs: z.number().int().min(0).max(60_000),
});

export const execWaitReplySchema = z.object({ session: execSessionSchema });

/** `exec.resize`: sets the size of the session's terminal. */
export const execResizeRequestSchema = z.object({ ...onSession, size: terminalSizeSchema });

export const execResizeReplySchema = z.object({});
