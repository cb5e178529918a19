/** What an operation asks of a host: the verb and its arguments. One action changes one container, or the host's images. */
import { z } from "zod";

import { artifactNameSchema } from "./artifact.ts";
import {
  checkpointOptionsShape,
  importOptionsShape,
  restoreOptionsShape,
} from "./container/checkpoint.ts";
import { restartPolicySchema } from "./container/restart-policy.ts";
import { containerSpecSchema } from "./container/spec.ts";
import { execSpecSchema } from "./exec.ts";
import { containerPathSchema } from "./file.ts";
import { containerIdSchema, execIdSchema, operationIdSchema } from "./ids.ts";
import { containerNameSchema } from "./name.ts";
import { resourceChangesSchema } from "./resources.ts";
import { signalSchema } from "./signal.ts";

const onContainer = { containerId: containerIdSchema };

/** The spec's when absent. */
const timeoutSeconds = z.number().int().min(0).max(31_536_000).optional();

/** Actions on one container that need no lock but its own. */
const step = {
  init: z.strictObject({ verb: z.literal("container.init") }),
  /** The containers it depends on have to run. */
  start: z.strictObject({ verb: z.literal("container.start") }),
  restart: z.strictObject({ verb: z.literal("container.restart"), timeoutSeconds }),
  stop: z.strictObject({ verb: z.literal("container.stop"), timeoutSeconds }),
  kill: z.strictObject({ verb: z.literal("container.kill"), signal: signalSchema }),
  pause: z.strictObject({ verb: z.literal("container.pause") }),
  unpause: z.strictObject({ verb: z.literal("container.unpause") }),
  cleanup: z.strictObject({ verb: z.literal("container.cleanup") }),
  sync: z.strictObject({ verb: z.literal("container.sync") }),
  refresh: z.strictObject({ verb: z.literal("container.refresh") }),
  rename: z.strictObject({ verb: z.literal("container.rename"), name: containerNameSchema }),
  update: z.strictObject({
    verb: z.literal("container.update"),
    /** What is absent stays as it is. */
    resources: resourceChangesSchema.optional(),
    restartPolicy: restartPolicySchema.optional(),
  }),
  /** Mounts the root filesystem on the host for people to use, once more. */
  mount: z.strictObject({ verb: z.literal("container.mount") }),
  unmount: z.strictObject({
    verb: z.literal("container.unmount"),
    /** All mounts at once. Without a process or an exec session that uses the root filesystem only. */
    force: z.boolean(),
  }),
};

/** Bytes that the host has been given: the upload whose chunks have all been acknowledged. */
const uploaded = { uploadId: operationIdSchema, sizeBytes: z.number().int().min(0) };

/** An action within a batch: on the batch's container, under the lock that the batch holds. */
export const stepSchema = z.discriminatedUnion("verb", [
  step.init,
  step.start,
  step.restart,
  step.stop,
  step.kill,
  step.pause,
  step.unpause,
  step.cleanup,
  step.sync,
  step.refresh,
  step.rename,
  step.update,
  step.mount,
  step.unmount,
  /** Runs the command to its end. */
  z.strictObject({ verb: z.literal("exec.start"), spec: execSpecSchema }),
]);
export type Step = z.infer<typeof stepSchema>;
export type StepInput = z.input<typeof stepSchema>;

/** Steps of a batch at most. */
export const stepsMax = 100;
export const stepsSchema = z.array(stepSchema).min(1, "must have a step").max(stepsMax);

export const actionSchema = z.discriminatedUnion("verb", [
  z.object({
    verb: z.literal("container.create"),
    ...onContainer,
    name: containerNameSchema,
    spec: containerSpecSchema,
  }),
  step.init.extend(onContainer),
  step.start.extend({
    ...onContainer,
    /** Starts the containers it depends on first. */
    recursive: z.boolean(),
  }),
  step.restart.extend(onContainer),
  step.stop.extend(onContainer),
  step.kill.extend(onContainer),
  step.pause.extend(onContainer),
  step.unpause.extend(onContainer),
  step.cleanup.extend(onContainer),
  step.sync.extend(onContainer),
  step.refresh.extend(onContainer),
  step.rename.extend(onContainer),
  step.update.extend(onContainer),
  step.mount.extend(onContainer),
  step.unmount.extend(onContainer),
  /** Unpacks a tar archive into a directory of the container. */
  z.object({
    verb: z.literal("container.copy"),
    ...onContainer,
    /** The directory; it has to be there. */
    path: containerPathSchema,
    ...uploaded,
  }),
  /** Keeps a file with the container; it takes the place of one of that name. */
  z.object({
    verb: z.literal("artifact.add"),
    ...onContainer,
    name: artifactNameSchema,
    ...uploaded,
  }),
  z.object({ verb: z.literal("artifact.remove"), ...onContainer, name: artifactNameSchema }),
  /** Runs the healthcheck's command now. */
  z.object({ verb: z.literal("container.healthcheck"), ...onContainer }),
  /** All steps under one lock, in order; after the first that fails, the rest only with `continueOnError`. */
  z.object({
    verb: z.literal("container.batch"),
    ...onContainer,
    steps: stepsSchema,
    continueOnError: z.boolean(),
  }),
  z.object({
    verb: z.literal("container.remove"),
    ...onContainer,
    /** Kills it first when it runs. */
    force: z.boolean(),
    /** Removes the containers that depend on it first. */
    dependents: z.boolean(),
  }),
  z.object({ verb: z.literal("container.checkpoint"), ...onContainer, ...checkpointOptionsShape }),
  z.object({ verb: z.literal("container.restore"), ...onContainer, ...restoreOptionsShape }),
  /** A new container that goes on where the checkpoint in an archive left off. */
  z.object({
    verb: z.literal("container.import"),
    ...onContainer,
    name: containerNameSchema,
    ...uploaded,
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
  z.object({ verb: z.literal("image.load"), ...uploaded }),
]);
export type Action = z.infer<typeof actionSchema>;
