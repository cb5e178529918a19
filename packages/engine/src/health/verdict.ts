/** What the results of a healthcheck say of its container. Pure. */
import {
  type Health,
  type Healthcheck,
  type HealthResult,
  healthResultsKept,
} from "@podfleet/model/container/healthcheck";

/**
 *     starting ──a success──▶ healthy ◀──a success── unhealthy
 *         └──`retries` failures in a row──▶ unhealthy ◀──┘ (from healthy too)
 *
 * While a container is starting, failures within the start period do not count.
 */
export function healthAfter(
  before: Health,
  result: HealthResult,
  { healthcheck, startedAt }: { readonly healthcheck: Healthcheck; readonly startedAt: string },
): Health {
  const results = [...before.healthLog.results, result].slice(-healthResultsKept);
  if (result.exitCode === 0) return { health: "healthy", healthLog: { failingStreak: 0, results } };
  const ageMs = Date.parse(result.startedAt) - Date.parse(startedAt);
  const counts = before.health !== "starting" || ageMs >= healthcheck.startPeriodMs;
  const failingStreak = before.healthLog.failingStreak + (counts ? 1 : 0);
  const health = failingStreak >= healthcheck.retries ? "unhealthy" : before.health;
  return { health, healthLog: { failingStreak, results } };
}
