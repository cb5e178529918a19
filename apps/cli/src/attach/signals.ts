/** Forwards the signals that this process receives to a container's command. */
import { constants } from "node:os";

import { hasCode } from "@podfleet/model/errors";
import { newOperationId } from "@podfleet/model/ids";

import { reportFailure } from "../failure.ts";
import type { Shell } from "../shell.ts";

/** Collects this process's signals; from `begin` on sends them to the container's command. */
export function forwardSignals(shell: Shell, container: string): SignalProxy {
  return new SignalProxy(async (signal) => await forward(shell, container, signal));
}

const proxied = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"] as const;

/**
 * Delivers this process's signals in order until it is disposed of. Signals that arrive before `begin` wait for it. After a failed
 * delivery signals have their normal effect on this process again.
 */
class SignalProxy implements Disposable {
  readonly #pending: NodeJS.Signals[] = [];
  readonly #deliver: (signal: NodeJS.Signals) => Promise<boolean>;
  #hasBegun = false;
  #delivering = false;
  readonly #listener = (signal: NodeJS.Signals): void => {
    this.#pending.push(signal);
    void this.#drain();
  };

  /** @param deliver never rejects; resolves with false when signals can no longer be forwarded */
  constructor(deliver: (signal: NodeJS.Signals) => Promise<boolean>) {
    this.#deliver = deliver;
    for (const signal of proxied) process.on(signal, this.#listener);
  }

  begin(): void {
    this.#hasBegun = true;
    void this.#drain();
  }

  [Symbol.dispose](): void {
    for (const signal of proxied) process.off(signal, this.#listener);
    this.#pending.length = 0;
  }

  async #drain(): Promise<void> {
    if (this.#delivering || !this.#hasBegun) return;
    this.#delivering = true;
    for (let signal = this.#pending.shift(); signal; signal = this.#pending.shift()) {
      if (!(await this.#deliver(signal))) this[Symbol.dispose]();
    }
    this.#delivering = false;
  }
}

/** Signals that normally end a process. */
const endings: readonly NodeJS.Signals[] = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"];

async function forward(shell: Shell, container: string, name: NodeJS.Signals): Promise<boolean> {
  const { api } = await shell.client();
  const operationId = newOperationId();
  try {
    await api.containers.kill.mutate({ operationId, container, signal: constants.signals[name] });
  } catch (error) {
    // Safe to ignore: the container was removed, which ends the session too.
    if (hasCode(error, "CONTAINER_NOT_FOUND")) return true;
    if (hasCode(error, "STATE_INVALID")) {
      return !endings.includes(name) || (await stopRestarts(shell, container));
    }
    await reportFailure(shell, error);
    return false;
  }
  return true;
}

/** Stops a container whose run has ended, so that its restart policy does not start it again. */
async function stopRestarts(shell: Shell, container: string): Promise<boolean> {
  const { api } = await shell.client();
  try {
    await api.containers.stop.mutate({ operationId: newOperationId(), container });
  } catch (error) {
    // Safe to ignore: there is nothing to stop, and the session ends too.
    if (hasCode(error, "ALREADY_STOPPED", "STATE_INVALID", "CONTAINER_NOT_FOUND")) return true;
    await reportFailure(shell, error);
    return false;
  }
  return true;
}
