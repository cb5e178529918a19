import { artifactNameSchema } from "@podfleet/model/artifact";
import { z } from "zod";

import { containerReferenceSchema, mutationInput } from "../requests/fields.ts";
import { mutationsOf } from "./mutations.ts";
import { never, procedure, router } from "./trpc.ts";

const container = containerReferenceSchema;
const name = artifactNameSchema;

/** Longer ones go through `PUT /containers/{ref}/artifacts/{name}`. */
const bytesMax = 4 * 1024 * 1024;

const addInput = z.strictObject({
  ...mutationInput,
  container,
  name,
  bytes: z
    .instanceof(Uint8Array)
    .refine((bytes) => bytes.length <= bytesMax, "must have at most 4 MiB; upload longer ones"),
});

/** Artifacts: named files that are kept with a container. */
export const artifactsRouter = router({
  ...mutationsOf("artifact"),

  /** Takes the place of one of that name. */
  add: procedure.input(addInput).mutation(async ({ ctx, input, signal = never }) => {
    const { operationId, ...rest } = input;
    const request = { caller: ctx.caller, operationId, ...rest };
    return await ctx.services.artifacts.add(request, signal);
  }),

  get: procedure
    .input(z.strictObject({ container, name }))
    .query(
      async ({ ctx, input, signal = never }) => await ctx.services.artifacts.get(input, signal),
    ),

  /** Lists artifacts by name. */
  list: procedure
    .input(z.strictObject({ container }))
    .query(async ({ ctx, input }) => await ctx.services.artifacts.list(input.container)),
});
