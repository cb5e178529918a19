import { execSpecSchema, firstExtraDescriptor, terminalSizeSchema } from "@podfleet/model/exec";
import { execIdSchema, newOperationId } from "@podfleet/model/ids";
import { signalSchema } from "@podfleet/model/signal";
import { tracked } from "@trpc/server";
import { z } from "zod";

import { claimExec, createExec, getExecById, resizeExecById } from "../services/created-execs.ts";
import { execIdOf, inspectExec, listExecs, resizeExec, waitForExec } from "../services/exec.ts";
import { readLogs } from "../services/logs.ts";
import type { MutationRequest } from "../services/operations.ts";
import type { ApiContext } from "./context.ts";
import { containerReferenceSchema, mutationInput, offsetSchema, timeSchema } from "./input.ts";
import { never, procedure, router } from "./trpc.ts";

const onSession = { container: containerReferenceSchema, exec: execIdSchema };

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

/** Without the container, the id alone finds the session, also one that was created and not started yet. */
const bySession = { ...onSession, container: containerReferenceSchema.optional() };

const killInput = z.strictObject({
  ...mutationInput,
  ...onSession,
  signal: signalSchema.prefault("KILL"),
});

const removeInput = z.strictObject({
  ...mutationInput,
  ...onSession,
  /** Kills it first when it runs. */
  force: z.boolean().default(false),
});

const listInput = z.strictObject({
  container: containerReferenceSchema,
  /** Those that have ended too, as long as they are kept. */
  all: z.boolean().default(false),
});

const outputInput = z.strictObject({
  ...onSession,
  /** Goes on until the session has ended. */
  follow: z.boolean().default(false),
  /** Begins with the last so many lines. */
  tail: z.number().int().min(0).optional(),
  since: timeSchema.optional(),
  /** What is written to this descriptor, one of those that `preserveFds` opened, and not the two streams. */
  descriptor: z.number().int().min(firstExtraDescriptor).optional(),
  /** The offset to go on from; it overrides `tail` and `since`. */
  lastEventId: offsetSchema.optional(),
});

/** Commands in running containers: sessions, named by their container and their id. */
export const execRouter = router({
  /** Resolves when the command runs; its id is in the result, and its output and end are asked for with that. */
  start: procedure.input(startInput).mutation(async ({ ctx, input }) => {
    const { operationId = newOperationId(), container, spec } = input;
    const mutation = {
      verb: "exec.start",
      container,
      execId: execIdOf(operationId),
      spec,
    } as const;
    return await startExec(ctx, { operationId, mutation });
  }),

  /** Makes a session that `startCreated` starts; until then its host knows nothing of it. It is forgotten after a day. */
  create: procedure.input(startInput).mutation(async ({ ctx, input }) => {
    const { operationId = newOperationId(), container, spec } = input;
    return { exec: await createExec(ctx.fleet, { container, spec, operationId }) };
  }),

  /** As `start`, of a session that `create` has made. It can be started once. */
  startCreated: procedure.input(startCreatedInput).mutation(async ({ ctx, input }) => {
    const { operationId = newOperationId(), exec: execId, terminalSize } = input;
    const created = await claimExec(ctx.fleet, { exec: execId, operationId });
    const spec = { ...created.spec, ...(terminalSize ? { terminalSize } : {}) };
    const container = created.containerId;
    const mutation = { verb: "exec.start", container, execId, spec } as const;
    return await startExec(ctx, { operationId, mutation });
  }),

  kill: procedure
    .input(killInput)
    .mutation(async ({ ctx, input: { operationId, container, exec, signal } }) => {
      const mutation = { verb: "exec.kill", container, execId: exec, signal } as const;
      return await ctx.operations.perform({ caller: ctx.caller, operationId, mutation });
    }),

  remove: procedure
    .input(removeInput)
    .mutation(async ({ ctx, input: { operationId, container, exec, force } }) => {
      const mutation = { verb: "exec.remove", container, execId: exec, force } as const;
      return await ctx.operations.perform({ caller: ctx.caller, operationId, mutation });
    }),

  /** Oldest first. */
  list: procedure
    .input(listInput)
    .query(async ({ ctx, input }) => await listExecs(ctx.fleet, input)),

  inspect: procedure.input(z.strictObject(bySession)).query(async ({ ctx, input }) => {
    const { container, exec } = input;
    return container === undefined
      ? await getExecById(ctx.fleet, exec)
      : await inspectExec(ctx.fleet, { container, exec });
  }),

  /** Stays open until the session has ended or the caller goes away. A mutation only so that it travels as POST. */
  wait: procedure
    .input(z.strictObject(onSession))
    .mutation(
      async ({ ctx, input, signal }) => await waitForExec(ctx.fleet, input, signal ?? never),
    ),

  /** Sets the size of the session's terminal. */
  resize: procedure
    .input(z.strictObject({ ...bySession, ...terminalSizeSchema.shape }))
    .mutation(async ({ ctx, input: { container, exec, ...size } }) => {
      await (container === undefined
        ? resizeExecById(ctx.fleet, { exec, size })
        : resizeExec(ctx.fleet, { container, exec, ...size }));
    }),

  /** Whole journal records (base/journal-record), or a descriptor's bytes, with the offset after them as the event's id. */
  output: procedure.input(outputInput).subscription(async function* ({ ctx, input, signal }) {
    const { lastEventId, ...rest } = input;
    const offset = lastEventId === undefined ? undefined : Number(lastEventId);
    for await (const chunk of readLogs(ctx.fleet, { ...rest, offset }, signal ?? never)) {
      yield tracked(String(chunk.next), chunk);
    }
  }),
});

async function startExec(
  { operations, caller }: ApiContext,
  request: Pick<MutationRequest, "operationId" | "mutation">,
) {
  const { exec, ...result } = await operations.perform({ caller, ...request });
  if (!exec) throw new Error(`Operation "${result.operationId}" has started no session`);
  return { ...result, exec };
}
