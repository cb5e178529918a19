import { z } from "zod";

import { checkpointOptions, importOptions, restoreOptions } from "../container/checkpoint.ts";
import { restartPolicySchema } from "../container/restart-policy.ts";
import { containerSpecSchema } from "../container/spec.ts";
import { containerPathSchema } from "../file.ts";
import { containerNameSchema } from "../name.ts";
import { resourceChangesSchema } from "../resources.ts";
import { signalSchema } from "../signal.ts";
import { creationErrors, notRemoving, type VerbDefinition } from "./definition.ts";

const stopInput = {
  /** From the stop signal to SIGKILL; the spec's when absent. */
  timeoutSeconds: z.number().int().min(0).max(31_536_000).optional(),
};

/** Verbs on one container; `container.batch` is beside the steps that it takes. */
export const containerVerbs = {
  "container.create": {
    on: "new-container",
    needs: "operate",
    input: { spec: containerSpecSchema },
    claims: ["name", "resources"],
  },
  "container.init": {
    on: "container",
    needs: "operate",
    step: true,
    input: {},
    can: {
      states: ["configured", "stopped", "exited"],
      result: "created",
      errors: creationErrors,
      phrase: "initialize",
    },
  },
  "container.start": {
    on: "container",
    needs: "operate",
    step: true,
    input: {},
    alone: {
      /** Starts the containers it depends on first; in a batch they have to run. */
      recursive: z.boolean().default(true),
    },
    can: {
      states: ["configured", "created", "stopped", "exited"],
      result: "running",
      errors: [...creationErrors, "DEPENDENCY_CYCLE"],
      phrase: "start",
    },
  },
  "container.restart": {
    on: "container",
    needs: "operate",
    step: true,
    input: stopInput,
    can: {
      states: ["configured", "created", "running", "stopped", "exited"],
      result: "running",
      errors: creationErrors,
      phrase: "restart",
    },
    event: "container.start",
  },
  "container.stop": {
    on: "container",
    needs: "operate",
    step: true,
    input: stopInput,
    can: {
      states: ["created", "running"],
      result: "exited",
      refusal: { stopped: "ALREADY_STOPPED", exited: "ALREADY_STOPPED" },
      errors: [],
      phrase: "stop",
    },
  },
  "container.kill": {
    on: "container",
    needs: "operate",
    step: true,
    input: { signal: signalSchema.prefault("KILL") },
    can: { states: ["running"], errors: ["INTERRUPTED"], phrase: "kill" },
  },
  "container.pause": {
    on: "container",
    needs: "operate",
    step: true,
    input: {},
    can: {
      states: ["running"],
      result: "paused",
      refusal: { paused: "ALREADY_PAUSED" },
      errors: [],
      phrase: "pause",
    },
  },
  "container.unpause": {
    on: "container",
    needs: "operate",
    step: true,
    input: {},
    can: {
      states: ["paused"],
      result: "running",
      refusal: "NOT_PAUSED",
      errors: [],
      phrase: "unpause",
    },
  },
  /** Takes down what a run has left, or starts it at once when its restart policy is about to. */
  "container.cleanup": {
    on: "container",
    needs: "operate",
    step: true,
    input: {},
    can: {
      states: ["configured", "created", "stopped", "exited"],
      errors: ["EXEC_IN_USE", "STORAGE_FAILED"],
      phrase: "clean up",
    },
  },
  "container.remove": {
    on: "container",
    needs: "operate",
    input: {
      /** Kills it first when it runs. */
      force: z.boolean().default(false),
      /** Removes the containers that depend on it first. */
      dependents: z.boolean().default(false),
    },
    can: {
      states: ["configured", "created", "stopped", "exited", "removing", "unknown"],
      errors: ["DEPENDENCY_IN_USE", "STORAGE_FAILED"],
      phrase: "remove",
    },
  },
  /** Has the agent ask the runtime for the container's true state. */
  "container.sync": {
    on: "container",
    needs: "operate",
    step: true,
    input: {},
    can: { states: notRemoving, errors: [], phrase: "sync" },
  },
  /** Makes the container anew in the OCI runtime, and brings it back to what it was. */
  "container.refresh": {
    on: "container",
    needs: "operate",
    step: true,
    input: {},
    can: { states: notRemoving, errors: creationErrors, phrase: "refresh" },
  },
  "container.rename": {
    on: "container",
    needs: "operate",
    step: true,
    input: { name: containerNameSchema },
    claims: ["name"],
    can: { states: notRemoving, errors: ["NAME_IN_USE"], phrase: "rename" },
  },
  "container.update": {
    on: "container",
    needs: "operate",
    step: true,
    input: {
      /** null takes a limit away; what is absent stays. */
      resources: resourceChangesSchema.optional(),
      restartPolicy: restartPolicySchema.optional(),
    },
    check: {
      holds: ({ resources, restartPolicy }) => Boolean(resources ?? restartPolicy),
      error: "must change resources or restartPolicy",
    },
    claims: ["resources"],
    can: { states: notRemoving, errors: ["INVALID_INPUT", "NO_HOST_FITS"], phrase: "update" },
  },
  /** Mounts the root filesystem on the host for people to use, once more. */
  "container.mount": {
    on: "container",
    needs: "operate",
    step: true,
    input: {},
    can: { states: notRemoving, errors: ["STORAGE_FAILED"], phrase: "mount" },
  },
  "container.unmount": {
    on: "container",
    needs: "operate",
    step: true,
    input: {
      /** Takes all mounts back at once, unless a process of the container uses its root filesystem. */
      force: z.boolean().default(false),
    },
    can: { states: notRemoving, errors: ["NOT_MOUNTED", "STORAGE_FAILED"], phrase: "unmount" },
  },
  /** Unpacks a tar archive into a directory of the container. */
  "container.copy": {
    on: "container",
    needs: "operate",
    upload: true,
    /** The directory; it has to be there. */
    input: { path: containerPathSchema },
    can: {
      states: notRemoving,
      errors: ["PATH_NOT_FOUND", "INVALID_INPUT", "STORAGE_FAILED"],
      phrase: "copy to",
    },
  },
  /** Runs the healthcheck's command now. */
  "container.healthcheck": {
    on: "container",
    needs: "operate",
    input: {},
    can: { states: ["running"], errors: ["INVALID_INPUT"], phrase: "check the health of" },
    event: "container.health_status",
  },
  "container.checkpoint": {
    on: "container",
    needs: "operate",
    input: checkpointOptions,
    can: {
      states: ["running"],
      result: "exited",
      errors: ["UNSUPPORTED", "CHECKPOINT_FAILED"],
      phrase: "checkpoint",
    },
  },
  /** Goes on from the container's own checkpoint. */
  "container.restore": {
    on: "container",
    needs: "operate",
    input: restoreOptions,
    can: {
      states: ["configured", "stopped", "exited"],
      result: "running",
      errors: ["UNSUPPORTED", "CHECKPOINT_NOT_FOUND", "CHECKPOINT_FAILED"],
      phrase: "restore",
    },
  },
  /** A new container that goes on where the checkpoint in an archive left off. */
  "container.import": {
    on: "new-container",
    needs: "operate",
    upload: true,
    input: importOptions,
    claims: ["name", "resources"],
    event: "container.create",
  },
} as const satisfies Record<`container.${string}`, VerbDefinition>;
