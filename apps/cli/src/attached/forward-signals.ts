import { hasCode } from "@podfleet/model/errors";
import { newOperationId } from "@podfleet/model/ids";

import { reportFailure } from "../failure.ts";
import type { Shell } from "../shell.ts";
import { signalNumber, SignalProxy } from "./signal-proxy.ts";

/** Collects this process's signals, and from `begin` on sends them to the container's command. */
export function forwardSignals(shell: Shell, container: string): SignalProxy {
  return new SignalProxy(async (signal) => await forward(shell, container, signal));
}

/** Those that mean to end what they are sent to. */
const endings: readonly NodeJS.Signals[] = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"];

async function forward(shell: Shell, container: string, signal: NodeJS.Signals): Promise<boolean> {
  const { api } = await shell.client();
  const operationId = newOperationId();
  try {
    await api.containers.kill.mutate({ operationId, container, signal: signalNumber(signal) });
  } catch (error) {
    // Safe to ignore: the container was removed, which is about to be seen.
    if (hasCode(error, "CONTAINER_NOT_FOUND")) return true;
    if (hasCode(error, "STATE_INVALID")) {
      return !endings.includes(signal) || (await endRestarts(shell, container));
    }
    await reportFailure(shell, error);
    return false;
  }
  return true;
}

/** The run has ended, and its restart policy may be about to begin another. */
async function endRestarts(shell: Shell, container: string): Promise<boolean> {
  const { api } = await shell.client();
  try {
    await api.containers.stop.mutate({ operationId: newOperationId(), container });
  } catch (error) {
    // Safe to ignore: there is nothing to stop, which is about to be seen.
    if (hasCode(error, "ALREADY_STOPPED", "STATE_INVALID", "CONTAINER_NOT_FOUND")) return true;
    await reportFailure(shell, error);
    return false;
  }
  return true;
}
