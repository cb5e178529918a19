/** A run that the caller watches: both output streams from byte 0, signals forwarded, and the exit code after the last byte. */
import type { Client } from "@podfleet/client/client";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import { newOperationId } from "@podfleet/model/ids";

import { reportFailure } from "../failure.ts";
import type { Shell } from "../shell.ts";
import { LogWriter } from "./log-writer.ts";
import { signalNumber, SignalProxy } from "./signal-proxy.ts";

export interface AttachedRun {
  /** Id of the container. */
  readonly container: string;
  /** Where the run's output begins in the container's. */
  readonly offset: number;
  /** The run may be followed by others, whose output and exit code count too. */
  readonly restarts: boolean;
  readonly proxySignals: boolean;
}

/** The container runs on while its agent restarts. */
const patience = { whenHostSilent: "retry" } as const;

/**
 * Starts the container and stays until its run has ended.
 * @returns the container's exit code
 * @throws PodfleetError what the start failed with
 */
export async function runAttached(shell: Shell, attached: AttachedRun): Promise<number> {
  const client = await shell.client();
  using signals = attached.proxySignals ? new SignalProxy() : undefined;
  const { container } = await shell.mutate(async ({ api }, operationId) =>
    api.containers.start.mutate({ operationId, container: attached.container }),
  );
  signals?.begin(async (signal) => await forward(shell, attached.container, signal));
  const run = attached.restarts ? undefined : container.run;
  const target = { container: attached.container };
  const exit = client.wait({ ...target, ...(run === undefined ? {} : { run }) }, patience);
  const [result] = await Promise.all([exit, stream(shell, client, attached)]);
  const last = attached.restarts ? await client.wait(target, patience) : result;
  if (last.exitCode !== undefined) return last.exitCode;
  throw new PodfleetError(
    "RUNTIME_FAILED",
    `Cannot tell how container "${container.name}" ended: its monitor died, so its exit code is unknown`,
  );
}

async function stream(shell: Shell, client: Client, attached: AttachedRun): Promise<void> {
  const { container, offset } = attached;
  const writer = new LogWriter(shell);
  const request = { container, offset, follow: true };
  try {
    for await (const records of client.followLogChunks(request, patience))
      await writer.write(records);
  } catch (error) {
    // Safe to ignore: someone removed the container by force, and the wait has its exit code.
    if (!hasCode(error, "CONTAINER_NOT_FOUND")) throw error;
  }
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
