/** Messages of podfleet itself on a terminal that a command is attached to. */
import type { SessionOutage } from "@podfleet/client/session";

import type { Output } from "../output/output.ts";

/** A shorter outage is not reported. */
const quietMs = 1_000;

export class Notices implements Disposable {
  /** The terminal is in raw mode: a newline needs a carriage return. */
  isRaw = false;
  /** Called at the end of an outage that was reported. */
  onReturn: (() => void) | undefined;
  readonly #output: Output;
  #outage: NodeJS.Timeout | "reported" | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  async say(text: string): Promise<void> {
    const newline = this.isRaw ? "\r\n" : "\n";
    const before = this.#output.isTerminal ? newline : "";
    await this.#output.write(`${before}[podfleet: ${text}]${newline}`);
  }

  /** Reports an outage that lasts longer than `quietMs`, and its end. Only on a terminal. */
  tell(outage: SessionOutage): void {
    if (!this.#output.isTerminal) return;
    if (outage.type === "down") {
      this.#outage ??= setTimeout(() => {
        this.#outage = "reported";
        void this.say("the connection is lost; what you type is sent when it is back");
      }, quietMs);
      return;
    }
    if (this.#outage === "reported") {
      void this.say(`connected again after ${Math.round(outage.downMs / 1000)} s`);
      this.onReturn?.();
    }
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.#outage !== "reported") clearTimeout(this.#outage);
    this.#outage = undefined;
  }
}

/** podman's warning for `--tty --interactive` without a terminal. */
export async function warnUnlessTerminal(
  output: Output,
  { tty, interactive }: { readonly tty: boolean; readonly interactive: boolean },
): Promise<void> {
  if (!tty || !interactive || process.stdin.isTTY) return;
  await output.print(
    "Warning: Standard input is not a terminal; --tty and --interactive may not work as expected",
  );
}
