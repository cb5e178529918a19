import type { Action } from "@podfleet/model/action";

import { checkpointContainer } from "../checkpoint/checkpoint-container.ts";
import { importContainer } from "../checkpoint/import-container.ts";
import { restoreContainer } from "../checkpoint/restore-container.ts";
import { createContainer } from "../container/create.ts";
import type { EngineParts } from "../container/engine-parts.ts";
import { initContainer } from "../container/initialize.ts";
import { killContainer } from "../container/kill.ts";
import { removeContainer } from "../container/remove.ts";
import { startContainer } from "../container/start.ts";
import { stopContainer } from "../container/stop.ts";
import { syncContainer } from "../container/sync-container.ts";
import { killExec } from "../exec/kill-exec.ts";
import { removeExec } from "../exec/remove-exec.ts";
import { startExec } from "../exec/start-exec.ts";
import { loadImages } from "../image/load-images.ts";
import type { OperationRef } from "../state/state-store.ts";

/**
 * Does what the action says and commits that `operation` has succeeded. `resumed`: the engine ended during an earlier attempt,
 * which may have done all but the last step.
 * @throws PodfleetError why it failed; the outcome is not committed then
 */
export async function carryOut(
  parts: EngineParts,
  operation: OperationRef,
  { action, resumed }: { readonly action: Action; readonly resumed: boolean },
): Promise<void> {
  switch (action.verb) {
    case "container.create":
      return await createContainer(parts, operation, action);
    case "container.init":
      return await initContainer(parts, operation, action);
    case "container.start":
      return await startContainer(parts, operation, action);
    case "container.stop":
      return await stopContainer(parts, operation, { ...action, resumed });
    case "container.kill":
      return await killContainer(parts, operation, { ...action, resumed });
    case "container.remove":
      return await removeContainer(parts, operation, action);
    case "container.sync":
      return await syncContainer(parts, operation, action);
    case "exec.start":
      return await startExec(parts, operation, { ...action, resumed });
    case "exec.kill":
      return await killExec(parts, operation, { ...action, resumed });
    case "exec.remove":
      return await removeExec(parts, operation, action);
    case "container.checkpoint":
      return await checkpointContainer(parts, operation, { ...action, resumed });
    case "container.restore":
      return await restoreContainer(parts, operation, action);
    case "container.import":
      return await importContainer(parts, operation, { ...action, resumed });
    case "image.load":
      return await loadImages(parts, operation, { ...action, resumed });
  }
}
