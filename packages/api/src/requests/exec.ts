/** Inputs of calls about exec sessions that are not operations. */
import { firstExtraDescriptor, terminalSizeSchema } from "@podfleet/model/exec";
import { execIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import { logsInput } from "./containers.ts";
import { containerReferenceSchema } from "./fields.ts";

export const onSession = { container: containerReferenceSchema, exec: execIdSchema };

/** An exec session. Without the container, the id alone finds it, also when it was created and not started yet. */
const bySession = { ...onSession, container: containerReferenceSchema.optional() };

export const execInspectInput = z.strictObject(bySession);
export type ExecInspectRequest = z.output<typeof execInspectInput>;

export const execResizeInput = execInspectInput.extend(terminalSizeSchema.shape);
export type ExecResizeRequest = z.output<typeof execResizeInput>;

export const execWaitInput = z.strictObject(onSession);
export type ExecWaitRequest = z.output<typeof execWaitInput>;

export const execListInput = z.strictObject({
  container: containerReferenceSchema,
  /** Includes sessions that have ended, as long as they are kept. */
  all: z.boolean().default(false),
});
export type ExecListRequest = z.output<typeof execListInput>;

export const execOutputInput = logsInput.extend({
  exec: execIdSchema,
  /** Reads this descriptor, one of those that `preserveFds` opened, instead of the output. */
  descriptor: z.number().int().min(firstExtraDescriptor).optional(),
});
