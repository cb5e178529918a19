/** A program on a pseudo-terminal that a test types on, and the screen of a terminal emulator. */
import { type IPty, spawn } from "@lydell/node-pty";
import { withDeadline } from "@podfleet/base/deadline";
import type { TerminalSize } from "@podfleet/model/exec";
import xterm from "@xterm/headless";

import { waitFor } from "./wait-for.ts";

export interface TestTerminalOptions {
  /** A program and its arguments. */
  readonly command: readonly string[];
  /** Its whole environment, but for TERM. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** 80 x 24 when absent. */
  readonly size?: TerminalSize;
}

export interface TerminalWait {
  readonly timeoutMs?: number;
}

const endTimeoutMs = 15_000;

export class TestTerminal implements AsyncDisposable {
  readonly pid: number;
  readonly #pty: IPty;
  readonly #emulator: xterm.Terminal;
  readonly #exit = Promise.withResolvers<number>();
  readonly #printed: Uint8Array[] = [];
  #isOver = false;

  constructor({ command, env, cwd = "/", size = { height: 24, width: 80 } }: TestTerminalOptions) {
    const [program = "", ...args] = command;
    const window = { cols: size.width, rows: size.height };
    this.#emulator = new xterm.Terminal({ ...window, allowProposedApi: true });
    // With no encoding it hands over bytes, whatever its type says.
    this.#pty = spawn(program, args, { ...window, env, cwd, name: "xterm", encoding: null });
    this.pid = this.#pty.pid;
    this.#pty.onData((data: unknown) => {
      this.#printed.push(data as Uint8Array);
      this.#emulator.write(data as Uint8Array);
    });
    // The emulator's answers to queries, such as the position of the cursor.
    this.#emulator.onData((answer) => {
      if (!this.#isOver) this.#pty.write(answer);
    });
    this.#pty.onExit(({ exitCode, signal }) => {
      this.#isOver = true;
      this.#exit.resolve(signal ? 128 + signal : exitCode);
    });
  }

  /** The output so far, as Latin-1: a character for each byte. */
  get text(): string {
    return Buffer.concat(this.#printed).toString("latin1");
  }

  type(keys: string | Uint8Array): void {
    // It takes bytes too, whatever its type says.
    this.#pty.write(keys as string);
  }

  resize({ width, height }: TerminalSize): void {
    this.#emulator.resize(width, height);
    this.#pty.resize(width, height);
  }

  /** The screen: a line for each row, without blanks at the ends. */
  async screen(): Promise<string[]> {
    await new Promise<void>((resolve) => this.#emulator.write("", resolve));
    const buffer = this.#emulator.buffer.active;
    const rows = Array.from({ length: this.#emulator.rows }, (_, row) => row + buffer.viewportY);
    return rows.map((row) => buffer.getLine(row)?.translateToString().trimEnd() ?? "");
  }

  /** Resolves with the match when the output since `from`, an index into `text`, matches. */
  async printed(pattern: RegExp, { from = 0, ...wait }: TerminalWait & { from?: number } = {}) {
    const match = (): RegExpExecArray | null => pattern.exec(this.text.slice(from));
    return await this.#until(`${String(pattern)} to be printed`, match, wait);
  }

  /** Resolves when `check` of the screen neither throws nor returns false. */
  async shows(check: (rows: readonly string[]) => unknown, wait: TerminalWait = {}): Promise<void> {
    const isShown = async (): Promise<boolean> => check(await this.screen()) !== false;
    await this.#until("the screen to show it", isShown, wait);
  }

  /** @returns the exit code, or 128 and the number of the signal that ended the program */
  async ended(): Promise<number> {
    return await withDeadline(this.#exit.promise, endTimeoutMs, () => {
      return new Error(`The program on the terminal has not ended: ${this.#lastWords()}`);
    });
  }

  /** Closes the terminal, as closing its window does. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) this.#pty.kill("SIGHUP");
    await this.ended();
    this.#emulator.dispose();
  }

  async #until<T>(
    what: string,
    condition: () => T | Promise<T>,
    { timeoutMs = 15_000 }: TerminalWait,
  ): Promise<NonNullable<Exclude<T, false>>> {
    try {
      return await waitFor(condition, { what, timeoutMs });
    } catch (error) {
      throw new Error(`The terminal has printed: ${this.#lastWords()}`, { cause: error });
    }
  }

  #lastWords(): string {
    return JSON.stringify(this.text.slice(-2_000));
  }
}
