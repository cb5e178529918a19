/** What podfleet itself says on a terminal that belongs to a command meanwhile. */
import type { SessionOutage } from "@podfleet/client/session";

import type { Output } from "../output/terminal.ts";

/** An outage that is over sooner goes unnoticed. */
const quietMs = 1_000;

export class Notices implements Disposable {
  /** The terminal is in raw mode: a new line has to begin at the left. */
  isRaw = false;
  /** Called after an outage that was spoken of. */
  onReturn: (() => void) | undefined;
  readonly #output: Output;
  #outage: NodeJS.Timeout | "told" | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  async say(text: string): Promise<void> {
    const newline = this.isRaw ? "\r\n" : "\n";
    const before = this.#output.isTerminal ? newline : "";
    await this.#output.write(`${before}[podfleet: ${text}]${newline}`);
  }

  /** Speaks of an outage once it has lasted for a while, and of its end; only to a person. */
  tell(outage: SessionOutage): void {
    if (!this.#output.isTerminal) return;
    if (outage.type === "down") {
      this.#outage ??= setTimeout(() => {
        this.#outage = "told";
        void this.say("the connection is lost; what you type is sent when it is back");
      }, quietMs);
      return;
    }
    if (this.#outage === "told") {
      void this.say(`connected again after ${Math.round(outage.downMs / 1000)} s`);
      this.onReturn?.();
    }
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.#outage !== "told") clearTimeout(this.#outage);
    this.#outage = undefined;
  }
}
