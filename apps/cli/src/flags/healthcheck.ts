import { healthOnFailureActions } from "@podfleet/model/container/healthcheck";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";

import type { ContainerFlags } from "./container-flags.ts";
import { parseDurationMs } from "./quantities.ts";
import { flagError, parseChoice, parseCommandList, parseCount } from "./values.ts";

type HealthcheckInput = NonNullable<ContainerSpecInput["healthcheck"]>;

/** @returns the healthcheck of the `--health-*` flags; undefined without `--health-cmd` */
export function healthcheckOf(flags: ContainerFlags): HealthcheckInput | undefined {
  const { healthCmd, healthInterval, healthTimeout, healthRetries } = flags;
  const { healthStartPeriod, healthOnFailure } = flags;
  if (healthCmd === undefined) {
    requireCommand({
      "--health-interval": healthInterval,
      "--health-timeout": healthTimeout,
      "--health-retries": healthRetries,
      "--health-start-period": healthStartPeriod,
      "--health-on-failure": healthOnFailure,
    });
    return undefined;
  }
  if (healthCmd === "none") return undefined;
  const healthcheck: HealthcheckInput = { command: healthCommand(healthCmd) };
  if (healthInterval !== undefined) {
    healthcheck.intervalMs = parseDurationMs("--health-interval", healthInterval);
  }
  if (healthTimeout !== undefined) {
    healthcheck.timeoutMs = parseDurationMs("--health-timeout", healthTimeout);
  }
  if (healthRetries !== undefined) {
    healthcheck.retries = parseCount("--health-retries", healthRetries);
  }
  if (healthStartPeriod !== undefined) {
    healthcheck.startPeriodMs = parseDurationMs("--health-start-period", healthStartPeriod);
  }
  if (healthOnFailure !== undefined) {
    healthcheck.onFailure = parseChoice(
      "--health-on-failure",
      healthOnFailure,
      healthOnFailureActions,
    );
  }
  return healthcheck;
}

function healthCommand(text: string): string[] {
  return parseCommandList("--health-cmd", text) ?? ["/bin/sh", "-c", text];
}

function requireCommand(flags: Readonly<Record<string, string | undefined>>): void {
  for (const [flag, value] of Object.entries(flags)) {
    if (value !== undefined) throw flagError(flag, value, "needs --health-cmd");
  }
}
