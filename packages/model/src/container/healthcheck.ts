import { z } from "zod";

export const healthOnFailureActions = ["none", "kill", "restart", "stop"] as const;
export const healthStates = ["starting", "healthy", "unhealthy"] as const;
export type HealthState = (typeof healthStates)[number];

/** A command run inside the container from time to time; exit code 0 is healthy. Defaults are podman's. */
export const healthcheckSchema = z.strictObject({
  command: z.array(z.string()).min(1, "must name a command"),
  intervalMs: z.number().int().min(100, "must be at least 100").default(30_000),
  timeoutMs: z.number().int().min(100, "must be at least 100").default(30_000),
  /** Failures in a row that make the container unhealthy. */
  retries: z.number().int().min(1, "must be at least 1").max(1000).default(3),
  /** Failures in this time after the start do not count. */
  startPeriodMs: z.number().int().min(0).default(0),
  onFailure: z.enum(healthOnFailureActions).default("none"),
});
export type Healthcheck = z.infer<typeof healthcheckSchema>;
