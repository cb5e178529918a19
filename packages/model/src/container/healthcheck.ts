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

/** One run of a healthcheck's command. */
export const healthResultSchema = z.object({
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  /** Absent when the command could not be run, or did not end in time. */
  exitCode: z.number().int().min(0).max(255).optional(),
  /** The beginning of what it wrote, or why it has no exit code. */
  output: z.string(),
});
export type HealthResult = z.infer<typeof healthResultSchema>;

export const healthResultsKept = 5;

/** How the checks of a container's last run went. */
export const healthLogSchema = z.object({
  /** Failures in a row that count. */
  failingStreak: z.number().int().min(0),
  /** The last ones, oldest first. */
  results: z.array(healthResultSchema).max(healthResultsKept),
});
export type HealthLog = z.infer<typeof healthLogSchema>;

export interface Health {
  readonly health: HealthState;
  readonly healthLog: HealthLog;
}

/** The health of a container whose run has just begun. */
export const initialHealth: Health = {
  health: "starting",
  healthLog: { failingStreak: 0, results: [] },
};
