/** Raw mode of the user's terminal: every key goes to the attached command, ctrl-c too. */
// oxlint-disable-next-line no-restricted-imports -- Node cannot switch a terminal's output processing off, only stty can
import { execFileSync } from "node:child_process";
import type { ReadStream } from "node:tty";

const endings = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const;

const sttyTimeoutMs = 2_000;

/**
 * Raw mode until it is disposed of or the process ends by anything but SIGKILL. Node itself restores the terminal on exit but not on
 * every signal.
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
 * Turns off output processing (termios(3), OPOST), which Node's raw mode leaves on. With it a newline would also move the cursor to the
 * first column, and full-screen programs would be drawn wrongly.
 */
function keepNewlines(): void {
  try {
    const stdio = ["inherit", "ignore", "ignore"] as const;
    execFileSync("stty", ["-opost"], { stdio: [...stdio], timeout: sttyTimeoutMs });
  } catch {
    // Safe to ignore: without stty most programs are still drawn correctly.
  }
}
