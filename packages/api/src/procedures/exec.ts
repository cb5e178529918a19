import { execSpecSchema, terminalSizeSchema } from "@podfleet/model/exec";
import { execIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import {
  execInspectInput,
  execListInput,
  execOutputInput,
  execResizeInput,
  execWaitInput,
} from "../requests/exec.ts";
import { containerReferenceSchema, mutationInput } from "../requests/fields.ts";
import { followLogs } from "./follow-logs.ts";
import { mutationsOf } from "./mutations.ts";
import { never, procedure, router } from "./trpc.ts";

const startInput = z.strictObject({
  ...mutationInput,
  container: containerReferenceSchema,
  spec: execSpecSchema,
});

const startCreatedInput = z.strictObject({
  ...mutationInput,
  exec: execIdSchema,
  /** Over the one that it was created with. */
  terminalSize: terminalSizeSchema.optional(),
});

/** Commands in running containers: sessions, named by their container and their id. */
export const execRouter = router({
  ...mutationsOf("exec"),

  /** Resolves when the command runs; its id is in the result, and its output and end are asked for with that. */
  start: procedure.input(startInput).mutation(async ({ ctx, input: { operationId, ...rest } }) => {
    return await ctx.services.exec.start({ caller: ctx.caller, operationId, ...rest });
  }),

  /** Makes a session that `startCreated` starts; until then its host knows nothing of it. It is forgotten after a day. */
  create: procedure.input(startInput).mutation(async ({ ctx, input: { operationId, ...rest } }) => {
    const request = { caller: ctx.caller, operationId, ...rest };
    return { exec: await ctx.services.exec.create(request) };
  }),

  /** Starts a session that `create` has created. It can be started once. */
  startCreated: procedure
    .input(startCreatedInput)
    .mutation(async ({ ctx, input: { operationId, ...rest } }) => {
      return await ctx.services.exec.startCreated({ caller: ctx.caller, operationId, ...rest });
    }),

  /** Oldest first. */
  list: procedure
    .input(execListInput)
    .query(async ({ ctx, input }) => await ctx.services.exec.list(input)),

  inspect: procedure
    .input(execInspectInput)
    .query(async ({ ctx, input }) => await ctx.services.exec.inspect(input)),

  /** Stays open until the session has ended or the caller goes away. A mutation only so that it travels as POST. */
  wait: procedure
    .input(execWaitInput)
    .mutation(
      async ({ ctx, input, signal = never }) => await ctx.services.exec.wait(input, signal),
    ),

  /** Sets the size of the session's terminal. */
  resize: procedure
    .input(execResizeInput)
    .mutation(async ({ ctx, input }) => await ctx.services.exec.resize(input)),

  /** Whole journal records (base/journal-record), or a descriptor's bytes, with the offset after them as the event's id. */
  output: procedure
    .input(execOutputInput)
    .subscription(({ ctx, input, signal }) => followLogs(ctx.services, input, signal)),
});
