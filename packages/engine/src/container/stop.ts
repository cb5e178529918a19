import type { Action } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { assertAllowed } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";

import type { OperationRef } from "../state/state-store.ts";
import { cleanUpLocked } from "./cleanup.ts";
import { endLocked } from "./end-process.ts";
import type { EngineParts } from "./engine-parts.ts";
import { hasProcess, syncLocked } from "./sync.ts";

/** What stopping takes beside the wait for the process. */
const overheadMsMax = 120_000;

/**
 * created, running → exited: the stop signal, and SIGKILL after the timeout. Of two stops at once, the later one
 * finds it stopped and ends well without a signal of its own.
 * @throws PodfleetError ALREADY_STOPPED when it had ended before the call; STATE_INVALID
 */
export async function stopContainer(
  parts: EngineParts,
  operation: OperationRef,
  action: Extract<Action, { verb: "container.stop" }> & { readonly resumed: boolean },
): Promise<void> {
  const { containerId: id, verb, resumed } = action;
  const { snapshot, spec } = parts.store.get(id);
  const ranBefore = resumed || hasProcess(snapshot);
  const timeoutMs = (action.timeoutSeconds ?? spec.stopTimeoutSeconds) * 1_000;
  const note = { event: "container.stop", operation, ends: "succeeded" } as const;
  await parts.locks.run(id, { purpose: verb, holdMsMax: timeoutMs + overheadMsMax }, async () => {
    if (ranBefore && !parts.store.find(id)) return parts.store.note(id, note);
    await syncLocked(parts, id, { operation });
    const now = parts.store.get(id).snapshot;
    if (!ranBefore) assertNotStopped(now);
    if (!isEnded(now)) {
      assertAllowed("stop", now);
      await endLocked(parts, id, { operation, timeoutMs });
    }
    if (parts.store.get(id).snapshot.state === "stopped") await cleanUpLocked(parts, id, operation);
    parts.store.note(id, note);
  });
  if (spec.autoRemove) parts.cleanUpLater(id);
}

function isEnded({ state }: ContainerSnapshot): boolean {
  return state === "stopped" || state === "exited";
}

function assertNotStopped(snapshot: ContainerSnapshot): void {
  if (!isEnded(snapshot)) return;
  throw new PodfleetError(
    "ALREADY_STOPPED",
    `Cannot stop container "${snapshot.name}": state is "${snapshot.state}", must be one of "created", "running"`,
    { details: { container: snapshot.name, state: snapshot.state } },
  );
}
