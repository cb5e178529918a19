/** Inputs of queries about containers. */
import { containerStateSchema } from "@podfleet/model/container/state";
import { waitConditionSchema } from "@podfleet/model/container/wait";
import { terminalSizeSchema } from "@podfleet/model/exec";
import { containerPathSchema } from "@podfleet/model/file";
import { z } from "zod";

import {
  containerReferenceSchema,
  hostReferenceSchema,
  offsetSchema,
  timeSchema,
} from "./fields.ts";

export const oneContainerInput = z.strictObject({ container: containerReferenceSchema });

/** Values of one filter are alternatives; a container must satisfy every filter given. */
export const containerListInput = z
  .strictObject({
    /** Includes containers that are neither running nor paused. */
    all: z.boolean().default(false),
    filters: z
      .strictObject({
        host: z.array(hostReferenceSchema).optional(),
        /** Parts of the container's name. */
        name: z.array(z.string()).optional(),
        /** `key` or `key=value`; a container must have all of them. */
        label: z.array(z.string().min(1)).optional(),
        state: z.array(containerStateSchema).optional(),
        /** Prefixes of the container's id. */
        id: z.array(z.string().regex(/^[0-9a-f]{1,64}$/, "must be 1 to 64 hex digits")).optional(),
      })
      .optional(),
    limit: z.number().int().min(1).max(100_000).optional(),
  })
  .prefault({});
export type ContainerListRequest = z.output<typeof containerListInput>;

export const waitInput = z.strictObject({
  /** Name, id or id prefix; the full id finds a container that was removed lately too. */
  container: containerReferenceSchema,
  condition: waitConditionSchema.default("exit"),
  /** The run to wait for, from an earlier reply; the present one when absent. */
  run: z.number().int().min(0).optional(),
});
export type WaitRequest = z.output<typeof waitInput>;

export const logsInput = z.strictObject({
  container: containerReferenceSchema,
  /** Follows the journal until it has ended. */
  follow: z.boolean().default(false),
  /** Begins with the last `tail` lines. */
  tail: z.number().int().min(0).optional(),
  since: timeSchema.optional(),
  /** The offset to resume at; it overrides `tail` and `since`. */
  lastEventId: offsetSchema.optional(),
});

export const statsInput = z
  .strictObject({
    /** The containers; all that are running or paused when absent. */
    containers: z.array(containerReferenceSchema).min(1).max(1000).optional(),
    intervalMs: z.number().int().min(100).max(3_600_000).default(5_000),
    /** Yields one sample only. */
    once: z.boolean().default(false),
    /** The id of the last event, from tRPC; it has no effect. */
    lastEventId: z.string().optional(),
  })
  .prefault({});
export type StatsRequest = Omit<z.output<typeof statsInput>, "lastEventId">;

export const resizeInput = oneContainerInput.extend(terminalSizeSchema.shape);
export type ResizeRequest = z.output<typeof resizeInput>;

export const statInput = oneContainerInput.extend({ path: containerPathSchema });
export type StatRequest = z.output<typeof statInput>;
