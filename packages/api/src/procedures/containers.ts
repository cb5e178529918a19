import { tracked } from "@trpc/server";

import {
  containerListInput,
  logsInput,
  oneContainerInput,
  resizeInput,
  statInput,
  statsInput,
  waitInput,
} from "../requests/containers.ts";
import { followLogs } from "./follow-logs.ts";
import { mutationsOf } from "./mutations.ts";
import { never, procedure, router } from "./trpc.ts";

export const containersRouter = router({
  ...mutationsOf("container"),

  /** Sets the size of the terminal of a created or running container. */
  resize: procedure
    .input(resizeInput)
    .mutation(async ({ ctx, input }) => await ctx.services.containers.resize(input)),

  /** Describes the file at a path in the container, symbolic links followed; null when there is none. */
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

  /** Samples of the resources that containers use; each holds all of them. */
  stats: procedure.input(statsInput).subscription(async function* ({ ctx, input, signal = never }) {
    const { lastEventId: _, ...request } = input;
    let count = 0;
    for await (const sample of ctx.services.containers.stats(request, signal)) {
      count += 1;
      yield tracked(String(count), sample);
    }
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
