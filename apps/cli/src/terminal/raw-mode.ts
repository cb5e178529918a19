/** The user's terminal while a command elsewhere has it: each key goes to the command as it is typed, ctrl-c too. */
// oxlint-disable-next-line no-restricted-imports -- Node cannot switch a terminal's output processing off, only stty can
import { execFileSync } from "node:child_process";
import type { ReadStream } from "node:tty";

const endings = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const;

const sttyTimeoutMs = 2_000;

/**
 * Lasts until it is disposed of, or this process ends, in whatever way but SIGKILL. Node restores the terminal when it exits, but not on
 * each signal.
 */
export class RawMode implements Disposable {
  readonly #terminal: ReadStream;
  readonly #end = (signal: NodeJS.Signals): void => {
    this[Symbol.dispose]();
    process.kill(process.pid, signal);
  };

  /** @param terminal this process's standard input */
  constructor(terminal: ReadStream) {
    this.#terminal = terminal;
    for (const signal of endings) process.on(signal, this.#end);
    terminal.setRawMode(true);
    keepNewlines();
  }

  [Symbol.dispose](): void {
    for (const signal of endings) process.off(signal, this.#end);
    this.#terminal.setRawMode(false);
  }
}

/**
 * Node's raw mode leaves on that a newline moves the cursor to the first column as well (termios(3), OPOST and ONLCR). A program that
 * moves it down by newlines, as it may on a raw terminal of its own, would be drawn wrongly.
 */
function keepNewlines(): void {
  try {
    const stdio = ["inherit", "ignore", "ignore"] as const;
    execFileSync("stty", ["-opost"], { stdio: [...stdio], timeout: sttyTimeoutMs });
  } catch {
    // Safe to ignore: on a machine without stty, most programs look as they should.
  }
}
