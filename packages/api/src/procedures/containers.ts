import { restartPolicySchema } from "@podfleet/model/container/restart-policy";
import { containerSpecSchema } from "@podfleet/model/container/spec";
import { containerNameSchema } from "@podfleet/model/name";
import { resourceChangesSchema } from "@podfleet/model/resources";
import { signalSchema } from "@podfleet/model/signal";
import { stepsSchema } from "@podfleet/model/verb/batch-verb";
import { tracked } from "@trpc/server";
import { z } from "zod";

import {
  containerListInput,
  logsInput,
  oneContainerInput,
  resizeInput,
  statInput,
  statsInput,
  waitInput,
} from "../requests/containers.ts";
import { containerReferenceSchema, mutationInput } from "../requests/fields.ts";
import { followLogs } from "./follow-logs.ts";
import { never, procedure, router } from "./trpc.ts";

const onContainer = { ...mutationInput, container: containerReferenceSchema };

const createInput = z.strictObject({ ...mutationInput, spec: containerSpecSchema });

const startInput = z.strictObject({
  ...onContainer,
  /** Starts the containers it depends on first. */
  recursive: z.boolean().default(true),
});

const stopInput = z.strictObject({
  ...onContainer,
  /** From the stop signal to SIGKILL; the spec's when absent. */
  timeoutSeconds: z.number().int().min(0).max(31_536_000).optional(),
});

const renameInput = z.strictObject({ ...onContainer, name: containerNameSchema });

const updateInput = z
  .strictObject({
    ...onContainer,
    /** null takes a limit away; what is absent stays. */
    resources: resourceChangesSchema.optional(),
    restartPolicy: restartPolicySchema.optional(),
  })
  .refine(({ resources, restartPolicy }) => resources ?? restartPolicy, {
    error: "must change resources or restartPolicy",
  });

const batchInput = z.strictObject({
  ...onContainer,
  steps: stepsSchema,
  /** Goes on after a step that failed. */
  continueOnError: z.boolean().default(false),
});

const killInput = z.strictObject({ ...onContainer, signal: signalSchema.prefault("KILL") });

const removeInput = z.strictObject({
  ...onContainer,
  /** Kills it first when it runs. */
  force: z.boolean().default(false),
  /** Removes the containers that depend on it first. */
  dependents: z.boolean().default(false),
});

const unmountInput = z.strictObject({
  ...onContainer,
  /** Takes all mounts back at once, unless a process of the container uses its root filesystem. */
  force: z.boolean().default(false),
});

const off = z.boolean().default(false);

/** model/container/checkpoint says what each switch does. */
const checkpointInput = z.strictObject({
  ...onContainer,
  keep: off,
  leaveRunning: off,
  tcpEstablished: off,
  fileLocks: off,
  archive: off,
  ignoreRootfs: off,
});

const restoreInput = z.strictObject({
  ...onContainer,
  keep: off,
  tcpEstablished: off,
  fileLocks: off,
  ignoreStaticIp: off,
  ignoreStaticMac: off,
});

/** A mutation without arguments. */
function plain(
  verb:
    | "container.init"
    | "container.pause"
    | "container.unpause"
    | "container.cleanup"
    | "container.sync"
    | "container.refresh"
    | "container.healthcheck"
    | "container.mount",
) {
  return procedure
    .input(z.strictObject(onContainer))
    .mutation(async ({ ctx, input: { operationId, container } }) => {
      const mutation = { verb, container };
      return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
    });
}

export const containersRouter = router({
  create: procedure.input(createInput).mutation(async ({ ctx, input: { operationId, spec } }) => {
    const mutation = { verb: "container.create", spec } as const;
    return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
  }),

  init: plain("container.init"),

  start: procedure.input(startInput).mutation(async ({ ctx, input: { operationId, ...rest } }) => {
    const mutation = { verb: "container.start", ...rest } as const;
    return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
  }),

  stop: procedure.input(stopInput).mutation(async ({ ctx, input: { operationId, ...rest } }) => {
    const mutation = { verb: "container.stop", ...rest } as const;
    return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
  }),

  restart: procedure.input(stopInput).mutation(async ({ ctx, input: { operationId, ...rest } }) => {
    const mutation = { verb: "container.restart", ...rest } as const;
    return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
  }),

  kill: procedure.input(killInput).mutation(async ({ ctx, input: { operationId, ...rest } }) => {
    const mutation = { verb: "container.kill", ...rest } as const;
    return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
  }),

  pause: plain("container.pause"),

  unpause: plain("container.unpause"),

  /** Takes down what a run has left, or starts it at once when its restart policy is about to. */
  cleanup: plain("container.cleanup"),

  /** Makes the container anew in the OCI runtime, and brings it back to what it was. */
  refresh: plain("container.refresh"),

  /** Runs the healthcheck's command now; `health` in the result says how it went. */
  healthcheck: plain("container.healthcheck"),

  rename: procedure
    .input(renameInput)
    .mutation(async ({ ctx, input: { operationId, ...rest } }) => {
      const mutation = { verb: "container.rename", ...rest } as const;
      return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
    }),

  /** @throws PodfleetError NO_HOST_FITS when the host has not the resources free */
  update: procedure
    .input(updateInput)
    .mutation(async ({ ctx, input: { operationId, ...rest } }) => {
      const mutation = { verb: "container.update", ...rest } as const;
      return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
    }),

  /** Many steps under one lock. Answers with their results, also when some failed. */
  batch: procedure.input(batchInput).mutation(async ({ ctx, input: { operationId, ...rest } }) => {
    const mutation = { verb: "container.batch", ...rest } as const;
    return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
  }),

  remove: procedure
    .input(removeInput)
    .mutation(async ({ ctx, input: { operationId, ...rest } }) => {
      const mutation = { verb: "container.remove", ...rest } as const;
      return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
    }),

  /** `container.mount` in the result says where on the host, and how often. */
  mount: plain("container.mount"),

  unmount: procedure
    .input(unmountInput)
    .mutation(async ({ ctx, input: { operationId, ...rest } }) => {
      const mutation = { verb: "container.unmount", ...rest } as const;
      return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
    }),

  /** Sets the size of the terminal of a created or running container. */
  resize: procedure
    .input(resizeInput)
    .mutation(async ({ ctx, input }) => await ctx.services.containers.resize(input)),

  /** What is at a path in the container, symbolic links followed; null when there is nothing. */
  stat: procedure
    .input(statInput)
    .query(async ({ ctx, input }) => await ctx.services.containers.stat(input)),

  /** How its root filesystem differs from its image. */
  diff: procedure
    .input(oneContainerInput)
    .query(
      async ({ ctx, input, signal = never }) =>
        await ctx.services.containers.diff(input.container, signal),
    ),

  /** The processes of a running container, by pid. */
  top: procedure
    .input(oneContainerInput)
    .query(async ({ ctx, input }) => await ctx.services.containers.top(input.container)),

  /** What containers use, each time of all of them. */
  stats: procedure.input(statsInput).subscription(async function* ({ ctx, input, signal = never }) {
    const { lastEventId: _, ...request } = input;
    let count = 0;
    for await (const sample of ctx.services.containers.stats(request, signal)) {
      count += 1;
      yield tracked(String(count), sample);
    }
  }),

  /** Has the agent ask the runtime for the container's true state. */
  sync: plain("container.sync"),
  /** An archive of it is then to be had from `GET /containers/{ref}/checkpoint`, when it was made for one. */
  checkpoint: procedure
    .input(checkpointInput)
    .mutation(async ({ ctx, input: { operationId, ...rest } }) => {
      const mutation = { verb: "container.checkpoint", ...rest } as const;
      return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
    }),

  /** From its own checkpoint; `POST /containers/restore` makes a new container from an archive. */
  restore: procedure
    .input(restoreInput)
    .mutation(async ({ ctx, input: { operationId, ...rest } }) => {
      const mutation = { verb: "container.restore", ...rest } as const;
      return await ctx.services.operations.perform({ caller: ctx.caller, operationId, mutation });
    }),

  /** Newest first. */
  list: procedure
    .input(containerListInput)
    .query(async ({ ctx, input }) => await ctx.services.containers.list(input)),

  inspect: procedure
    .input(oneContainerInput)
    .query(async ({ ctx, input }) => await ctx.services.containers.inspect(input.container)),

  /** Stays open until the condition is met or the caller goes away. A mutation only so that it travels as POST. */
  wait: procedure
    .input(waitInput)
    .mutation(
      async ({ ctx, input, signal = never }) => await ctx.services.containers.wait(input, signal),
    ),

  /** Whole journal records (base/journal-record) with the offset after them as the event's id. */
  logs: procedure
    .input(logsInput)
    .subscription(({ ctx, input, signal }) => followLogs(ctx.services, input, signal)),
});
