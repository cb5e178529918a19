import type { Healthcheck, HealthResult } from "@podfleet/model/container/healthcheck";
import { initialHealth } from "@podfleet/model/container/healthcheck";
import type { ContainerId } from "@podfleet/model/ids";
import { sigkill } from "@podfleet/model/signal";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";

import type { ContainerSync } from "../container/container-sync.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import { hasProcess } from "../state/container-process.ts";
import type { ContainerRecord } from "../state/container-record.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import type { HealthProbe } from "./health-probe.ts";
import { healthAfter } from "./verdict.ts";

const recordMsMax = 60_000;

export interface HealthCheckParts {
  readonly locks: Pick<ContainerLocks, "run">;
  readonly store: Pick<StateStore, "get" | "saveHealthLog" | "update">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
  readonly runtime: Pick<OciRuntime, "kill">;
  readonly healthProbe: Pick<HealthProbe, "run">;
  /** Begins an operation of the engine's own that ends the container's run. */
  readonly performLater: (action: {
    readonly verb: "container.stop" | "container.restart";
    readonly containerId: ContainerId;
  }) => void;
}

export class HealthCheck {
  readonly #parts: HealthCheckParts;

  constructor(parts: HealthCheckParts) {
    this.#parts = parts;
  }

  /**
   * Runs the healthcheck's command, records the result, and acts as the healthcheck says when the container is unhealthy. The action ends
   * the run, so it is done once; when the engine ends before, it is done after the next failure. `kill` leaves the rest to the
   * restart policy; `stop` and `restart` are operations of the engine's own, so that the engine's end does not cut them off.
   * @throws PodfleetError INVALID_INPUT without a healthcheck; STATE_INVALID unless it runs
   */
  async check(id: ContainerId, operation?: OperationRef): Promise<void> {
    const { healthProbe, locks, performLater, runtime, store, sync } = this.#parts;
    const { run } = store.get(id).snapshot;
    const result = await healthProbe.run(id);
    const request = { purpose: "container.healthcheck", holdMsMax: recordMsMax };
    const onFailure = await locks.run(id, request, async () => {
      await sync.syncLocked(id);
      const record = store.get(id);
      const { healthcheck } = record.spec;
      // The result is about a run that is over.
      if (!healthcheck || record.snapshot.run !== run || !hasProcess(record.snapshot)) {
        if (operation) assertAllowed("healthcheck", record.snapshot);
        return "none";
      }
      const isUnhealthy = this.#commitResult(record, { healthcheck, result, operation });
      if (!isUnhealthy || record.snapshot.state !== "running") return "none";
      if (healthcheck.onFailure === "kill") await runtime.kill(id, sigkill);
      return healthcheck.onFailure;
    });
    // After the lock is released: the operation takes it for itself.
    if (onFailure === "stop" || onFailure === "restart") {
      performLater({ verb: `container.${onFailure}`, containerId: id });
    }
  }

  /** @returns whether the check failed and the container is unhealthy */
  #commitResult(
    { snapshot, healthLog = initialHealth.healthLog }: ContainerRecord,
    options: {
      readonly healthcheck: Healthcheck;
      readonly result: HealthResult;
      readonly operation: OperationRef | undefined;
    },
  ): boolean {
    const { store } = this.#parts;
    const { healthcheck, result, operation } = options;
    const { id, health: before = initialHealth.health, startedAt = result.startedAt } = snapshot;
    const verdict = { healthcheck, startedAt };
    const { health, healthLog: log } = healthAfter({ health: before, healthLog }, result, verdict);
    if (health !== before || operation) {
      const ends = operation ? "succeeded" : undefined;
      const note = { event: "container.health_status", attributes: { health } } as const;
      const changes = { health, healthLog: log };
      store.update(id, changes, { ...note, operation, ends, health: result });
    } else {
      store.saveHealthLog(id, log);
    }
    return health === "unhealthy" && result.exitCode !== 0;
  }
}
