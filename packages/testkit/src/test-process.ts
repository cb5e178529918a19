/** A program that a test can kill at any moment and start again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";

import { withDeadline } from "@podfleet/base/deadline";

export interface TestProcessOptions {
  /** The name in error messages. */
  readonly name: string;
  /** The absolute path of the program, and its arguments. */
  readonly command: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The file that the output of all runs is appended to. */
  readonly logPath: string;
}

const endTimeoutMs = 15_000;

/** Ends the program with this process, even when this process is killed. */
const dieWithParent = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] as const;

export class TestProcess {
  readonly #options: TestProcessOptions;
  #child: ChildProcess | undefined;

  constructor(options: TestProcessOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** @throws Error when the program does not run */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined || !this.isRunning)
      throw new Error(`${this.#options.name} is not running`);
    return pid;
  }

  /** Starts the program; it may take a while until it is ready. */
  start(): void {
    if (this.isRunning) throw new Error(`${this.#options.name} is running already`);
    const [program, ...args] = [...dieWithParent, ...this.#options.command];
    const log = openSync(this.#options.logPath, "a");
    try {
      this.#child = spawn(program, args, {
        cwd: "/",
        env: { ...this.#options.env },
        stdio: ["ignore", log, log],
      });
    } finally {
      closeSync(log);
    }
  }

  /** Ends the program if it runs, and resolves when it has ended. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (!child || !this.isRunning) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await withDeadline(exited, endTimeoutMs, () => {
      return new Error(`${this.#options.name} did not end on ${signal}: ${this.lastWords()}`);
    });
  }

  /** The end of the program's output. */
  lastWords(): string {
    return readFileSync(this.#options.logPath, "utf8").slice(-2_000);
  }
}
