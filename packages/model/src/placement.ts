import { z } from "zod";

import { hostIdSchema } from "./ids.ts";
import { hostNameSchema } from "./name.ts";

/** SwarmKit's form: `KEY==VALUE` or `KEY!=VALUE`; KEY is `host.name`, `host.id` or `host.labels.NAME`. */
export const constraintSchema = z
  .string()
  .regex(
    /^host\.(name|id|labels\.[a-zA-Z0-9][a-zA-Z0-9_./-]*)\s*(==|!=)\s*\S.*$/,
    'must be "host.name", "host.id" or "host.labels.NAME", then "==" or "!=", then a value',
  );

export const placementStrategies = ["spread", "binpack"] as const;
export type PlacementStrategy = (typeof placementStrategies)[number];

/** Where a container may run. */
export const placementSchema = z.strictObject({
  /** Name or id of the one host to use. */
  host: z
    .union([hostNameSchema, hostIdSchema], {
      error: "must be a host's name, which is a DNS label, or its id",
    })
    .optional(),
  constraints: z.array(constraintSchema).max(64).default([]),
  /** `spread` takes the host with the most left free, `binpack` the fullest that still fits. */
  strategy: z.enum(placementStrategies).default("spread"),
});
export type Placement = z.infer<typeof placementSchema>;
