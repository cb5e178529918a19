import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { findSignalNumber, sigkill } from "@podfleet/model/signal";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";
import type { ImageStore } from "@podfleet/storage/image/image-store";

import { hasProcess } from "../state/container-process.ts";
import type { ContainerRecord } from "../state/container-record.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import type { ContainerSync } from "./container-sync.ts";
import type { ExitWatcher } from "./exit-watcher.ts";

const sigterm = 15;
/** From SIGKILL to the exit file; the kernel frees the memory and the monitor writes out the output in that time. */
const killTimeoutMs = 10_000;

export interface ProcessEndParts {
  readonly store: Pick<StateStore, "get">;
  readonly exits: Pick<ExitWatcher, "wait">;
  readonly runtime: Pick<OciRuntime, "kill" | "resume">;
  readonly images: Pick<ImageStore, "config">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
}

export interface EndOptions {
  readonly operation: OperationRef | undefined;
  /** From the stop signal to SIGKILL; 0 sends SIGKILL at once. */
  readonly timeoutMs: number;
}

/** Ends a container's process by signals. */
export class ProcessEnd {
  readonly #parts: ProcessEndParts;

  constructor(parts: ProcessEndParts) {
    this.#parts = parts;
  }

  /**
   * created, running, paused → stopped.
   * @throws PodfleetError RUNTIME_TIMEOUT when not even SIGKILL ends it
   */
  async endLocked(id: ContainerId, { operation, timeoutMs }: EndOptions): Promise<void> {
    const { store, sync } = this.#parts;
    const record = store.get(id);
    const ended = await this.#signalAndWait(record, timeoutMs);
    if (!ended) throw unkillable(record);
    await sync.syncLocked(id, { operation, stoppedByUser: true });
    if (hasProcess(store.get(id).snapshot)) throw unkillable(record);
  }

  async #signalAndWait(record: ContainerRecord, timeoutMs: number): Promise<boolean> {
    const { exits, runtime } = this.#parts;
    const { id, state } = record.snapshot;
    if (timeoutMs > 0 && state === "running") {
      await runtime.kill(id, this.#stopSignalOf(record));
      if (await exits.wait(id, timeoutMs)) return true;
    }
    await runtime.kill(id, sigkill);
    // A frozen process ends when it is thawed, and does nothing before that.
    if (state === "paused") await runtime.resume(id);
    if (await exits.wait(id, killTimeoutMs)) return true;
    await runtime.kill(id, sigkill, { all: true });
    return await exits.wait(id, killTimeoutMs);
  }

  #stopSignalOf({ spec, snapshot }: ContainerRecord): number {
    if (spec.stopSignal !== undefined) return spec.stopSignal;
    const named = this.#parts.images.config(snapshot.imageId).stopSignal;
    return (named === undefined ? undefined : findSignalNumber(named)) ?? sigterm;
  }
}

function unkillable({ snapshot }: ContainerRecord): PodfleetError {
  return new PodfleetError(
    "RUNTIME_TIMEOUT",
    `Cannot stop container "${snapshot.name}": process ${snapshot.pid} did not end after SIGKILL`,
    { details: { container: snapshot.name, pid: snapshot.pid } },
  );
}
