/** What an operation asks of a host: the verb and its arguments. One action changes one container, or the host's images. */
import { z } from "zod";

import {
  checkpointOptionsShape,
  importOptionsShape,
  restoreOptionsShape,
} from "./container/checkpoint.ts";
import { containerSpecSchema } from "./container/spec.ts";
import { execSpecSchema } from "./exec.ts";
import { containerIdSchema, execIdSchema, operationIdSchema } from "./ids.ts";
import { containerNameSchema } from "./name.ts";

const onContainer = { containerId: containerIdSchema };

export const actionSchema = z.discriminatedUnion("verb", [
  z.object({
    verb: z.literal("container.create"),
    ...onContainer,
    name: containerNameSchema,
    spec: containerSpecSchema,
  }),
  z.object({ verb: z.literal("container.init"), ...onContainer }),
  z.object({
    verb: z.literal("container.start"),
    ...onContainer,
    /** Starts the containers it depends on first. */
    recursive: z.boolean(),
  }),
  z.object({
    verb: z.literal("container.stop"),
    ...onContainer,
    /** The spec's when absent. */
    timeoutSeconds: z.number().int().min(0).optional(),
  }),
  z.object({
    verb: z.literal("container.kill"),
    ...onContainer,
    signal: z.number().int().min(1).max(64),
  }),
  z.object({
    verb: z.literal("container.remove"),
    ...onContainer,
    /** Kills it first when it runs. */
    force: z.boolean(),
    /** Removes the containers that depend on it first. */
    dependents: z.boolean(),
  }),
  z.object({ verb: z.literal("container.sync"), ...onContainer }),
  z.object({ verb: z.literal("container.checkpoint"), ...onContainer, ...checkpointOptionsShape }),
  z.object({ verb: z.literal("container.restore"), ...onContainer, ...restoreOptionsShape }),
  /** A new container that goes on where the checkpoint in an archive left off. */
  z.object({
    verb: z.literal("container.import"),
    ...onContainer,
    name: containerNameSchema,
    /** The upload whose chunks have all been acknowledged. */
    uploadId: operationIdSchema,
    sizeBytes: z.number().int().min(0),
    ...importOptionsShape,
  }),
  z.object({
    verb: z.literal("exec.start"),
    ...onContainer,
    /** Chosen by the asker. */
    execId: execIdSchema,
    spec: execSpecSchema,
  }),
  z.object({
    verb: z.literal("exec.kill"),
    ...onContainer,
    execId: execIdSchema,
    signal: z.number().int().min(1).max(64),
  }),
  z.object({
    verb: z.literal("exec.remove"),
    ...onContainer,
    execId: execIdSchema,
    /** Kills it first when it runs. */
    force: z.boolean(),
  }),
  z.object({
    verb: z.literal("image.load"),
    /** The upload whose chunks have all been acknowledged. */
    uploadId: operationIdSchema,
    sizeBytes: z.number().int().min(0),
  }),
]);
export type Action = z.infer<typeof actionSchema>;
