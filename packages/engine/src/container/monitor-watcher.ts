import type { Clock } from "@podfleet/base/clock";
import type { ContainerId } from "@podfleet/model/ids";

import { hasProcess, isMonitorAlive } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";

/** A monitor's death is noticed within a second; this leaves time for what follows. */
const intervalMs = 400;

export interface MonitorWatcherOptions {
  readonly clock: Clock;
  readonly store: StateStore;
  /** Called again and again until the container's record says that its process has ended. */
  readonly onGone: (id: ContainerId) => void;
  /** Looks at the monitors of exec sessions. */
  readonly execs: { look(): void };
}

/**
 * Looks whether the monitors of all containers with a process, and of all exec sessions, still run: nobody tells when one is killed. It also
 * finds the ends whose exit file the kernel's notice of was lost.
 */
export class MonitorWatcher {
  readonly #options: MonitorWatcherOptions;
  readonly #stop = new AbortController();
  readonly #stopped: Promise<void>;

  constructor(options: MonitorWatcherOptions) {
    this.#options = options;
    this.#stopped = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#stopped;
  }

  async #run(): Promise<void> {
    const { clock, store, onGone, execs } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      for (const record of store.list()) {
        if (hasProcess(record.snapshot) && !isMonitorAlive(record)) onGone(record.snapshot.id);
      }
      execs.look();
      try {
        await clock.sleep(intervalMs, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }
}
