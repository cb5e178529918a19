import { constants } from "node:os";

const proxied = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"] as const;

/**
 * Forwards the signals that this process is sent, in their order, until it is disposed of. Those that come before `begin` wait
 * for it. After a forward has failed, signals do to this process what they normally do.
 */
export class SignalProxy implements Disposable {
  readonly #pending: NodeJS.Signals[] = [];
  readonly #deliver: (signal: NodeJS.Signals) => Promise<boolean>;
  #hasBegun = false;
  #delivering = false;
  readonly #listener = (signal: NodeJS.Signals): void => {
    this.#pending.push(signal);
    void this.#drain();
  };

  /** `deliver` never rejects; it resolves with false when signals can no longer be forwarded. */
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

/** The signal's number, which means the same on the container's host. */
export function signalNumber(signal: NodeJS.Signals): number {
  return constants.signals[signal];
}
