/**
 * What a user asks a container to be. Written by users only, and immutable after create except for the name and the
 * restart policy. Defaults are podman's.
 */
import { z } from "zod";

import { containerIdSchema } from "../ids.ts";
import { labelsSchema } from "../name.ts";
import { containerNameSchema } from "../name.ts";
import { placementSchema } from "../placement.ts";
import { resourcesSchema } from "../resources.ts";
import { signalSchema } from "../signal.ts";
import { capabilitySchema } from "./capability.ts";
import { healthcheckSchema } from "./healthcheck.ts";
import { mountSchema } from "./mount.ts";
import { type RestartPolicy, restartPolicySchema } from "./restart-policy.ts";

export const networkModes = ["none", "host"] as const;

export const argumentSchema = z.string().regex(/^[^\0]*$/, "must not contain a NUL byte");

const environmentName = z
  .string()
  .regex(/^[^=\0]+$/, 'must not be empty and must not contain "=" or a NUL byte');

export const environmentSchema = z.record(environmentName, argumentSchema);

export const absolutePathSchema = z.string().regex(/^\/[^\0]*$/, "must be an absolute path");

/** `name`, `uid`, `uid:gid` or `name:group`, looked up in the container's root filesystem. */
export const userSchema = z
  .string()
  .regex(/^[^\s:]+(:[^\s:]+)?$/, 'must be "user" or "user:group", by name or number');

export const rlimitSchema = z.strictObject({
  /** Lower case, without the `RLIMIT_` prefix: `nofile`. */
  type: z.enum([
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
  ]),
  soft: z.number().int().min(-1),
  hard: z.number().int().min(-1),
});

const specFieldsSchema = z.strictObject({
  /** Made up by the control plane when absent. */
  name: containerNameSchema.optional(),
  /** Name or id (or unique prefix of at least 12 digits) of an image loaded on the host. */
  image: z.string().min(1, "must not be empty").max(512),
  /** The image's command when absent. */
  command: z.array(argumentSchema).optional(),
  /** The image's entrypoint when absent; an empty list clears it. */
  entrypoint: z.array(argumentSchema).optional(),
  /** Over the image's own; the last of a name wins. */
  env: environmentSchema.default({}),
  /** The image's own when absent. */
  user: userSchema.optional(),
  /** Supplementary groups, by name or number. */
  groups: z.array(z.string().min(1)).max(64).default([]),
  workdir: absolutePathSchema.optional(),
  /** Allocates a terminal for the command. */
  tty: z.boolean().default(false),
  /** Keeps the command's standard input open. */
  stdin: z.boolean().default(false),
  /** Runs the command under a small init, which passes signals on and reaps orphans: `catatonit` of the host. */
  init: z.boolean().default(false),
  labels: labelsSchema.default({}),
  annotations: labelsSchema.default({}),
  /** The first 12 digits of the id when absent. */
  hostname: z
    .string()
    .regex(/^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,62})$/, "must be a host name of at most 63 characters")
    .optional(),
  resources: resourcesSchema.default({}),
  rlimits: z.array(rlimitSchema).max(16).default([]),
  mounts: z.array(mountSchema).max(256).default([]),
  restartPolicy: restartPolicySchema.default({ name: "no" }),
  /** Sent first by `stop`; SIGTERM when absent here and in the image. */
  stopSignal: signalSchema.optional(),
  /** Seconds from the stop signal to SIGKILL; 0 sends SIGKILL at once. */
  stopTimeoutSeconds: z.number().int().min(0).max(31_536_000).default(10),
  /** Ids of containers on the same host that must run before this one starts. */
  dependencies: z.array(containerIdSchema).max(64).default([]),
  capabilitiesAdd: z.array(capabilitySchema).default([]),
  capabilitiesDrop: z.array(capabilitySchema).default([]),
  /** All capabilities, all devices, no seccomp filter, nothing masked. */
  privileged: z.boolean().default(false),
  /** `runtime-default` filters system calls with podfleet's default profile. */
  seccomp: z.enum(["runtime-default", "unconfined"]).default("runtime-default"),
  noNewPrivileges: z.boolean().default(true),
  readOnlyRoot: z.boolean().default(false),
  healthcheck: healthcheckSchema.optional(),
  networkMode: z.enum(networkModes).default("none"),
  /** Bytes of /dev/shm. */
  shmSizeBytes: z.number().int().min(4096).default(65_536_000),
  /** Removes the container when its run ends. */
  autoRemove: z.boolean().default(false),
  placement: placementSchema.prefault({}),
});

export const containerSpecSchema = specFieldsSchema.refine(isPolicyPossible, {
  path: ["restartPolicy"],
  error: 'must be "no" with autoRemove',
});

/** A container that is removed when its run ends cannot be started again then. */
export function isPolicyPossible(spec: {
  readonly autoRemove: boolean;
  readonly restartPolicy: RestartPolicy;
}): boolean {
  return !spec.autoRemove || spec.restartPolicy.name === "no";
}

/** A spec as it is stored: every default is filled in. */
export type ContainerSpec = z.infer<typeof containerSpecSchema>;
/** A spec as a caller writes it. */
export type ContainerSpecInput = z.input<typeof containerSpecSchema>;
