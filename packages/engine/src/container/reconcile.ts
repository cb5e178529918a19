/** What an engine does with the containers it finds when it opens. */
import type { ContainerId } from "@podfleet/model/ids";
import type { OciRuntime, RuntimeStatus } from "@podfleet/oci/runtime/runtime";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import type { ContainerLocks } from "../lock/container-locks.ts";
import { hasProcess, isRemovedAfterRun } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";
import type { ContainerSync } from "./container-sync.ts";
import type { RunRecords } from "./run-records.ts";

export interface ReconcileParts {
  readonly store: Pick<StateStore, "get" | "list" | "update">;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly runtime: Pick<OciRuntime, "list">;
  readonly storage: Pick<ContainerStorage, "isMounted">;
  readonly runs: Pick<RunRecords, "commitUnknownExitLocked">;
  readonly sync: Pick<ContainerSync, "correctLocked" | "loseProcessLocked" | "syncLocked">;
}

const reconcileMsMax = 60_000;

/**
 * `same`      the engine was away, the processes may not have been
 * `rebooted`  the host has booted since: no process is left
 * `lost`      the runtime directory is gone though the host has not booted: what processes are left cannot be controlled
 */
export type HostContinuity = "same" | "rebooted" | "lost";

/** Brings every record in line with the host. Returns the containers that need cleaning up. */
export async function reconcile(
  parts: ReconcileParts,
  continuity: HostContinuity,
): Promise<Set<ContainerId>> {
  const rows = continuity === "same" ? await parts.runtime.list() : [];
  const known = new Map<string, RuntimeStatus>(rows.map(({ id, status }) => [id, status]));
  const ids = parts.store.list().map(({ snapshot }) => snapshot.id);
  const untidy = await Promise.all(
    ids.map(async (id) => {
      const request = { purpose: "container.reconcile", holdMsMax: reconcileMsMax };
      return await parts.locks.run(id, request, async () => {
        await reconcileLocked(parts, id, { continuity, status: known.get(id) });
        return (await needsCleanUp(parts, id, known.has(id))) ? [id] : [];
      });
    }),
  );
  return new Set(untidy.flat());
}

async function reconcileLocked(
  parts: ReconcileParts,
  id: ContainerId,
  found: { readonly continuity: HostContinuity; readonly status: RuntimeStatus | undefined },
): Promise<void> {
  const record = parts.store.get(id);
  if (record.snapshot.mount && !parts.storage.isMounted(id)) {
    parts.store.update(id, { mount: undefined }, { event: "container.unmount" });
  }
  if (!hasProcess(record.snapshot)) return;
  switch (found.continuity) {
    case "rebooted":
      return parts.runs.commitUnknownExitLocked(id);
    case "lost":
      return await parts.sync.loseProcessLocked(record, {});
    case "same":
      await parts.sync.syncLocked(id);
      if (hasProcess(parts.store.get(id).snapshot)) await parts.sync.correctLocked(id, found);
  }
}

async function needsCleanUp(
  parts: ReconcileParts,
  id: ContainerId,
  isKnown: boolean,
): Promise<boolean> {
  const { snapshot, spec } = parts.store.get(id);
  switch (snapshot.state) {
    case "stopped":
    case "removing":
      return true;
    case "configured":
    case "exited":
      if (isKnown || (snapshot.state === "exited" && isRemovedAfterRun({ snapshot, spec })))
        return true;
      return snapshot.mount === undefined && parts.storage.isMounted(id);
    default:
      return false;
  }
}
