/** What the verb table says of each verb. Verbs change something; what only reads is no verb. */
import { z } from "zod";

import type { ContainerState } from "../container/state.ts";
import type { ErrorCode } from "../errors.ts";
import { containerIdSchema, execIdSchema, operationIdSchema } from "../ids.ts";
import { containerNameSchema } from "../name.ts";

export interface VerbDefinition {
  readonly on: Noun;
  readonly needs: Permission;
  /** Arguments, beside what names the object. Defaults are filled in when the caller's request is parsed. */
  readonly input: z.ZodRawShape;
  /** Further arguments outside of a batch. */
  readonly alone?: z.ZodRawShape;
  /** A condition on all arguments together. */
  readonly check?: InputCheck;
  /** It can be a step of a batch: it takes no lock but that of its container. */
  readonly step?: true;
  /** Its host is sent bytes first, as an upload named by the operation's id. */
  readonly upload?: true;
  /** What is taken for it in the fleet's records before its host is asked, and freed when it fails. */
  readonly claims?: readonly Claim[];
  /** In which states of the container it is allowed. Absent for a verb that its object's own state decides about. */
  readonly can?: Capability;
  /** Type of the event of its success, when it is not the verb itself. */
  readonly event?: string;
}

/** What verbs act on. `new-container`, `new-exec`: one that the verb makes. Images are a host's. */
export type Noun = keyof typeof targets;

/** What a caller has to be allowed to do. Recorded only: until there are roles, every token may do all of it. */
export type Permission = "read" | "operate" | "administer";

/**
 * `name`       the argument `name`, which no other container of the fleet has
 * `resources`  CPU and memory of the host that the container is to have more
 */
export type Claim = "name" | "resources";

export interface InputCheck {
  readonly holds: (input: Readonly<Record<string, unknown>>) => boolean;
  readonly error: string;
}

export interface Capability {
  readonly states: readonly ContainerState[];
  /** State after success; absent where it stays, or comes back to what it was. */
  readonly result?: ContainerState;
  /** Code of a refusal in all other states, or in some of them; STATE_INVALID when absent. */
  readonly refusal?: ErrorCode | Readonly<Partial<Record<ContainerState, ErrorCode>>>;
  /** What it may fail with beside its refusal and what any method may (see docs/container-methods.md). */
  readonly errors: readonly ErrorCode[];
  /** `pause` in "Cannot pause container ...". */
  readonly phrase: string;
}

/** The values of a shape, once parsed. */
export type Output<Shape> = Shape extends z.ZodRawShape ? z.output<z.ZodObject<Shape>> : never;
/** The values of a shape as a caller writes them: without those that have a default. */
export type Input<Shape> = Shape extends z.ZodRawShape ? z.input<z.ZodObject<Shape>> : never;

/** How a host is told which object an action is on. */
export const targets = {
  container: { containerId: containerIdSchema },
  "new-container": { containerId: containerIdSchema, name: containerNameSchema },
  exec: { containerId: containerIdSchema, execId: execIdSchema },
  "new-exec": { containerId: containerIdSchema, execId: execIdSchema },
  image: {},
} as const satisfies Record<string, z.ZodRawShape>;

/** Bytes that the host has been sent: the upload whose chunks have all been acknowledged. */
export const uploaded = { uploadId: operationIdSchema, sizeBytes: z.number().int().min(0) };

/** The further shapes of a verb. */
export type Alone<D> = D extends { readonly alone: infer Shape } ? Shape : unknown;
export type Uploaded<D> = D extends { readonly upload: true } ? typeof uploaded : unknown;

export const anyState = [
  "configured",
  "created",
  "running",
  "paused",
  "stopped",
  "exited",
  "removing",
  "unknown",
] as const satisfies readonly ContainerState[];

export const notRemoving = [
  "configured",
  "created",
  "running",
  "paused",
  "stopped",
  "exited",
  "unknown",
] as const satisfies readonly ContainerState[];

/** What a method may fail with that has a container's process created. */
export const creationErrors = [
  "DEPENDENCY_NOT_RUNNING",
  "INVALID_INPUT",
  "COMMAND_NOT_FOUND",
  "COMMAND_NOT_EXECUTABLE",
  "STORAGE_FAILED",
] as const satisfies readonly ErrorCode[];
