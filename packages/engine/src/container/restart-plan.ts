/** When a restart policy starts a container again. Pure. */
import type { RestartPolicy } from "@podfleet/model/container/restart-policy";

/** Delay of the first restart; it doubles from run to run. */
const delayMsMin = 100;
const delayMsMax = 60_000;
/** A run of this length was no failure to start: the delay begins anew after it. */
const steadyRunMs = 10_000;

export interface EndedRun {
  /** Undefined when it is unknown, which counts as a failure. */
  readonly exitCode: number | undefined;
  readonly atMs: number;
  readonly ranMs: number;
  /** How often the policy has started it since a user did. */
  readonly restartCount: number;
  /** The delay before this run; undefined when a user began it. */
  readonly restartDelayMs: number | undefined;
}

export interface RestartPlan {
  readonly restartAt: string;
  readonly restartDelayMs: number;
}

/** What follows the end of a run that no user asked for; undefined when it stays ended. */
export function planRestart(policy: RestartPolicy, run: EndedRun): RestartPlan | undefined {
  if (!applies(policy, run)) return undefined;
  const isFirst = run.restartDelayMs === undefined || run.ranMs >= steadyRunMs;
  const delayMs = isFirst ? delayMsMin : Math.min(delayMsMax, run.restartDelayMs * 2);
  return { restartAt: new Date(run.atMs + delayMs).toISOString(), restartDelayMs: delayMs };
}

function applies(policy: RestartPolicy, { exitCode, restartCount }: EndedRun): boolean {
  switch (policy.name) {
    case "no":
      return false;
    case "on-failure":
      return exitCode !== 0 && restartCount < (policy.retriesMax ?? Number.POSITIVE_INFINITY);
    case "always":
    case "unless-stopped":
      return true;
  }
}
