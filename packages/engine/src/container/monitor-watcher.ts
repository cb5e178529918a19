import { attemptAll } from "@podfleet/base/attempt-all";
import type { Clock } from "@podfleet/base/clock";
import { Loop, type LoopFailure } from "@podfleet/base/loop";
import type { ContainerId } from "@podfleet/model/ids";

import { hasProcess, isMonitorAlive } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";

/** A monitor's death is noticed within a second; this leaves time for what follows. */
const intervalMs = 400;

export interface MonitorWatcherOptions {
  readonly clock: Clock;
  readonly store: Pick<StateStore, "list">;
  /** Called again and again until the container's record says that its process has ended. */
  readonly onGone: (id: ContainerId) => void;
  readonly onFailure: (failure: LoopFailure) => void;
}

/**
 * Looks whether the monitors of all containers with a process still run: nobody tells when one is killed. It also finds the ends
 * whose exit file the kernel's notice of was lost.
 */
export class MonitorWatcher {
  readonly loop: Loop;

  constructor({ clock, store, onGone, onFailure }: MonitorWatcherOptions) {
    this.loop = new Loop({
      name: "monitor-watcher",
      intervalMs,
      clock,
      run: async () =>
        await attemptAll(store.list(), (record) => {
          if (hasProcess(record.snapshot) && !isMonitorAlive(record)) onGone(record.snapshot.id);
        }),
      onFailure,
    });
  }

  async close(): Promise<void> {
    await this.loop.stop();
  }
}
