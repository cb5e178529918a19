import { Readable } from "node:stream";

import { artifactNameSchema } from "@podfleet/model/artifact";
import { z } from "zod";

import { getArtifact, listArtifacts } from "../services/host-answers.ts";
import { performUpload } from "../services/upload-mutation.ts";
import { containerReferenceSchema, mutationInput } from "./input.ts";
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

/** Named files that are kept with a container. */
export const artifactsRouter = router({
  /** Takes the place of one of that name. */
  add: procedure.input(addInput).mutation(async ({ ctx, input, signal = never }) => {
    const { operationId, container, name, bytes } = input;
    return await performUpload(ctx, {
      ...{ caller: ctx.caller, operationId, container, signal },
      taker: { verb: "artifact.add", name },
      bytes: Readable.from([bytes]),
    });
  }),

  get: procedure
    .input(z.strictObject({ container, name }))
    .query(async ({ ctx, input, signal = never }) => await getArtifact(ctx.fleet, input, signal)),

  /** By name. */
  list: procedure
    .input(z.strictObject({ container }))
    .query(async ({ ctx, input }) => await listArtifacts(ctx.fleet, input.container)),

  remove: procedure
    .input(z.strictObject({ ...mutationInput, container, name }))
    .mutation(async ({ ctx, input: { operationId, ...rest } }) => {
      const mutation = { verb: "artifact.remove", ...rest } as const;
      return await ctx.operations.perform({ caller: ctx.caller, operationId, mutation });
    }),
});
