import { z } from "zod";

import { containerIdSchema, imageIdSchema } from "../ids.ts";
import { resourcesSchema } from "../resources.ts";
import { healthStates } from "./healthcheck.ts";
import { restartPolicySchema } from "./restart-policy.ts";
import { containerStateSchema } from "./state.ts";

/**
 * What an agent has committed about one of its containers. `revision` grows by one with each commit, so of two
 * snapshots the one with the higher revision is the newer.
 */
export const containerSnapshotSchema = z.object({
  id: containerIdSchema,
  name: z.string(),
  revision: z.number().int().min(1),
  state: containerStateSchema,
  imageId: imageIdSchema,
  /** Counts the starts; `wait` waits for the exit of a given run. 0 before the first start. */
  run: z.number().int().min(0),
  /** Process id on the host; absent when no process exists. */
  pid: z.number().int().positive().optional(),
  monitorPid: z.number().int().positive().optional(),
  /** Exit code of the last run that ended; absent before that, and when it could not be learnt (`exitUnknown`). */
  exitCode: z.number().int().min(0).max(255).optional(),
  /** The run that `exitCode` or `exitUnknown` is about. */
  exitedRun: z.number().int().min(0).default(0),
  /** The last run ended and its exit code was lost with its monitor. */
  exitUnknown: z.boolean().default(false),
  oomKilled: z.boolean().default(false),
  /** A user stopped or killed it: restart policies leave it alone. */
  stoppedByUser: z.boolean().default(false),
  /** How often its restart policy has started it since a user did. */
  restartCount: z.number().int().min(0).default(0),
  /** When its restart policy starts it again; absent when that is not to happen. */
  restartAt: z.iso.datetime().optional(),
  /** How long the restart policy waited last. */
  restartDelayMs: z.number().int().min(0).optional(),
  /** What `update` has changed of its spec. */
  specChanges: z
    .object({
      resources: resourcesSchema.optional(),
      restartPolicy: restartPolicySchema.optional(),
    })
    .optional(),
  /** Where users have its root filesystem mounted on the host, and how often; absent when they do not. */
  mount: z.object({ path: z.string(), count: z.number().int().min(1) }).optional(),
  health: z.enum(healthStates).optional(),
  /** What it can be restored from. `forArchive`: it can be sent, and restored on another host. */
  checkpoint: z
    .object({
      at: z.iso.datetime(),
      forArchive: z.boolean(),
      /** The run that ended with it; absent when it left the container running. */
      endedRun: z.number().int().min(0).optional(),
    })
    .optional(),
  /** The last run that began where a checkpoint had left off. */
  restoredRun: z.number().int().min(1).optional(),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().optional(),
  finishedAt: z.iso.datetime().optional(),
  /** Reason why the last start failed. */
  error: z.string().optional(),
});
export type ContainerSnapshot = z.infer<typeof containerSnapshotSchema>;

/** Whether a checkpoint ended the last run, so that a restore would go on with it. */
export function isCheckpointed({ state, run, checkpoint }: ContainerSnapshot): boolean {
  return (state === "stopped" || state === "exited") && checkpoint?.endedRun === run;
}
