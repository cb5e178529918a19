import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { findSignalNumber } from "@podfleet/model/signal";

import { hasProcess } from "../state/container-process.ts";
import type { ContainerRecord } from "../state/container-record.ts";
import type { OperationRef } from "../state/state-store.ts";
import type { EngineParts } from "./engine-parts.ts";

const sigterm = 15;
const sigkill = 9;
/** From SIGKILL to the exit file; the kernel frees the memory and the monitor writes out the output in that time. */
const killTimeoutMs = 10_000;

export interface EndOptions {
  readonly operation: OperationRef | undefined;
  /** From the stop signal to SIGKILL; 0 sends SIGKILL at once. */
  readonly timeoutMs: number;
}

/**
 * Ends the container's process: created, running, paused → stopped.
 * @throws PodfleetError RUNTIME_TIMEOUT when not even SIGKILL ends it
 */
export async function endLocked(
  parts: EngineParts,
  id: ContainerId,
  { operation, timeoutMs }: EndOptions,
): Promise<void> {
  const record = parts.store.get(id);
  const ended = await signalAndWait(parts, record, timeoutMs);
  if (!ended) throw unkillable(record);
  await parts.sync.syncLocked(id, { operation, stoppedByUser: true });
  if (hasProcess(parts.store.get(id).snapshot)) throw unkillable(record);
}

async function signalAndWait(
  parts: EngineParts,
  record: ContainerRecord,
  timeoutMs: number,
): Promise<boolean> {
  const { id, state } = record.snapshot;
  if (timeoutMs > 0 && state === "running") {
    await parts.runtime.kill(id, stopSignalOf(parts, record));
    if (await parts.exits.wait(id, timeoutMs)) return true;
  }
  await parts.runtime.kill(id, sigkill);
  // What is frozen ends when it is thawed, and does nothing before that.
  if (state === "paused") await parts.runtime.resume(id);
  if (await parts.exits.wait(id, killTimeoutMs)) return true;
  await parts.runtime.kill(id, sigkill, { all: true });
  return await parts.exits.wait(id, killTimeoutMs);
}

function stopSignalOf(parts: EngineParts, { spec, snapshot }: ContainerRecord): number {
  if (spec.stopSignal !== undefined) return spec.stopSignal;
  const named = parts.images.config(snapshot.imageId).stopSignal;
  return (named === undefined ? undefined : findSignalNumber(named)) ?? sigterm;
}

function unkillable({ snapshot }: ContainerRecord): PodfleetError {
  return new PodfleetError(
    "RUNTIME_TIMEOUT",
    `Cannot stop container "${snapshot.name}": process ${snapshot.pid} did not end after SIGKILL`,
    { details: { container: snapshot.name, pid: snapshot.pid } },
  );
}
