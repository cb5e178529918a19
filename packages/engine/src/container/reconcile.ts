import type { ContainerId } from "@podfleet/model/ids";
import type { RuntimeStatus } from "@podfleet/oci/runtime/runtime";

/** What an engine does with the containers it finds when it opens. */
import { hasProcess } from "../state/container-process.ts";
import type { EngineParts } from "./engine-parts.ts";
import { isToBeRemoved } from "./remove.ts";

const reconcileMsMax = 60_000;

/**
 * `same`      the engine was away, the processes may not have been
 * `rebooted`  the host has booted since: no process is left
 * `lost`      the runtime directory is gone though the host has not booted: what processes are left cannot be controlled
 */
export type HostContinuity = "same" | "rebooted" | "lost";

/** Brings every record in line with the host. Returns the containers that need cleaning up. */
export async function reconcile(
  parts: EngineParts,
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
  parts: EngineParts,
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
  parts: EngineParts,
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
      if (isKnown || (snapshot.state === "exited" && isToBeRemoved({ snapshot, spec })))
        return true;
      return snapshot.mount === undefined && parts.storage.isMounted(id);
    default:
      return false;
  }
}
