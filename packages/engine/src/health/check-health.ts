import type { Healthcheck, HealthResult } from "@podfleet/model/container/healthcheck";
import { initialHealth } from "@podfleet/model/container/healthcheck";
import { assertAllowed } from "@podfleet/model/container/state";
import type { ContainerId } from "@podfleet/model/ids";
import { sigkill } from "@podfleet/model/signal";

import type { EngineParts } from "../container/engine-parts.ts";
import { hasProcess } from "../state/container-process.ts";
import type { ContainerRecord } from "../state/container-record.ts";
import type { OperationRef } from "../state/state-store.ts";
import { healthAfter } from "./verdict.ts";

const recordMsMax = 60_000;

/**
 * Runs the healthcheck's command, records the result, and has done what the healthcheck says when the container is unhealthy. That
 * ends the run, so it is done once; when the engine ends before, it is done after the next failure. `kill` leaves the rest to
 * the restart policy; `stop` and `restart` are operations of the engine's own, so that its end does not cut them off halfway.
 * @throws PodfleetError INVALID_INPUT without a healthcheck; STATE_INVALID unless it runs
 */
export async function checkHealth(
  parts: EngineParts,
  id: ContainerId,
  operation?: OperationRef,
): Promise<void> {
  const { run } = parts.store.get(id).snapshot;
  const result = await parts.healthProbe.check(parts, id);
  const request = { purpose: "container.healthcheck", holdMsMax: recordMsMax };
  const onFailure = await parts.locks.run(id, request, async () => {
    await parts.sync.syncLocked(id);
    const record = parts.store.get(id);
    const { healthcheck } = record.spec;
    // The result of a run that is over says nothing any more.
    if (!healthcheck || record.snapshot.run !== run || !hasProcess(record.snapshot)) {
      if (operation) assertAllowed("healthcheck", record.snapshot);
      return "none";
    }
    const isUnhealthy = commitResultLocked(parts, record, { healthcheck, result, operation });
    if (!isUnhealthy || record.snapshot.state !== "running") return "none";
    if (healthcheck.onFailure === "kill") await parts.runtime.kill(id, sigkill);
    return healthcheck.onFailure;
  });
  // Apart from the lock, which each takes for itself.
  if (onFailure === "stop" || onFailure === "restart") {
    parts.performLater({ verb: `container.${onFailure}`, containerId: id });
  }
}

function commitResultLocked(
  parts: EngineParts,
  { snapshot, healthLog = initialHealth.healthLog }: ContainerRecord,
  options: {
    readonly healthcheck: Healthcheck;
    readonly result: HealthResult;
    readonly operation: OperationRef | undefined;
  },
): boolean {
  const { healthcheck, result, operation } = options;
  const { id, health: before = initialHealth.health, startedAt = result.startedAt } = snapshot;
  const verdict = { healthcheck, startedAt };
  const { health, healthLog: log } = healthAfter({ health: before, healthLog }, result, verdict);
  if (health !== before || operation) {
    const ends = operation ? "succeeded" : undefined;
    const note = { event: "container.health_status", attributes: { health } } as const;
    const changes = { health, healthLog: log };
    parts.store.update(id, changes, { ...note, operation, ends, health: result });
  } else {
    parts.store.saveHealthLog(id, log);
  }
  return health === "unhealthy" && result.exitCode !== 0;
}
