import type { Action } from "@podfleet/model/action";
import { assertAllowed } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";

import type { OperationRef } from "../state/state-store.ts";
import type { EngineParts } from "./engine-parts.ts";
import { hasProcess, syncLocked } from "./sync.ts";

const sigkill = 9;
const killMsMax = 60_000;

/**
 * Sends a signal to the process of a running container and marks the container as stopped by its user.
 * @throws PodfleetError STATE_INVALID; INTERRUPTED when the engine ended during the first attempt and a second signal
 * could be one too many
 */
export async function killContainer(
  parts: EngineParts,
  operation: OperationRef,
  action: Extract<Action, { verb: "container.kill" }> & { readonly resumed: boolean },
): Promise<void> {
  const { containerId: id, verb, signal, resumed } = action;
  await parts.locks.run(id, { purpose: verb, holdMsMax: killMsMax }, async () => {
    await syncLocked(parts, id, { operation });
    const { snapshot } = parts.store.get(id);
    if (resumed && signal !== sigkill) {
      throw new PodfleetError(
        "INTERRUPTED",
        `Cannot tell whether signal ${signal} reached container "${snapshot.name}": the agent ended meanwhile`,
        { details: { container: snapshot.name, signal } },
      );
    }
    // SIGKILL may be sent twice; an end that came meanwhile is what it asked for.
    if (!resumed || hasProcess(snapshot)) {
      assertAllowed("kill", snapshot);
      await parts.runtime.kill(id, signal);
    }
    const note = { event: "container.kill", attributes: { signal }, operation } as const;
    parts.store.update(id, { stoppedByUser: true }, { ...note, ends: "succeeded" });
  });
}
