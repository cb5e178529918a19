import { hasCode } from "@podfleet/model/errors";
import { newOperationId } from "@podfleet/model/ids";

import { reportFailure } from "../failure.ts";
import type { Shell } from "../shell.ts";
import { signalNumber, SignalProxy } from "./signal-proxy.ts";

/** Collects this process's signals, and from `begin` on sends them to the container's command. */
export function forwardSignals(shell: Shell, container: string): SignalProxy {
  return new SignalProxy(async (signal) => await forward(shell, container, signal));
}

async function forward(shell: Shell, container: string, signal: NodeJS.Signals): Promise<boolean> {
  const { api } = await shell.client();
  try {
    await api.containers.kill.mutate({
      operationId: newOperationId(),
      container,
      signal: signalNumber(signal),
    });
  } catch (error) {
    // Safe to ignore: the run has ended already, which is about to be seen.
    if (hasCode(error, "STATE_INVALID", "CONTAINER_NOT_FOUND")) return true;
    await reportFailure(shell, error);
    return false;
  }
  return true;
}
