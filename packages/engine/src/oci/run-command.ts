/** The one place where a tool is run to its end: each call has a deadline, a bound on its output and a span. */
import { accessSync, constants } from "node:fs";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";

import type { Attributes } from "@opentelemetry/api";
import { PodfleetError } from "@podfleet/model/errors";
import { execa } from "execa";

import { traced } from "../trace.ts";

export interface CommandOptions {
  /** The tool is killed when it takes longer. */
  readonly timeoutMs: number;
  /** Low-cardinality: `runc start`, `mount overlay`. */
  readonly spanName: string;
  readonly attributes?: Attributes;
  /** Written to the tool's standard input; it has none when absent. */
  readonly input?: string | Uint8Array | Readable;
  readonly cwd?: string;
  /** Bytes of standard output and of standard error, each; more is a failure. */
  readonly maxBuffer?: number;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
}

const toolDirectories = [
  ...["/usr/local/sbin", "/usr/local/bin"],
  ...["/usr/sbin", "/usr/bin", "/sbin", "/bin"],
];

/** What tools see of the environment: the same on each host, and messages in English. */
export const toolEnvironment = { PATH: toolDirectories.join(":"), LC_ALL: "C" } as const;

const defaultMaxBuffer = 4 * 1024 * 1024;

/**
 * Absolute path of a tool.
 * @throws PodfleetError UNSUPPORTED when the host does not have it
 */
export function findTool(name: string): string {
  const paths = toolDirectories.map((directory) => join(directory, name));
  const path = paths.find((candidate) => isExecutable(candidate));
  if (path !== undefined) return path;
  throw new PodfleetError(
    "UNSUPPORTED",
    `Cannot find "${name}": install it into one of ${toolDirectories.join(", ")}`,
  );
}

/**
 * Runs `file` with `args`; no shell is involved.
 * @throws PodfleetError RUNTIME_TIMEOUT when the deadline passes; RUNTIME_FAILED with the tool's last line, and with
 * `exitCode` and `stderr` in its details, when it cannot be run or does not end with 0
 */
export async function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const attributes = { ...options.attributes, "process.executable.name": basename(file) };
  return await traced(options.spanName, attributes, async (span) => {
    const result = await execa(file, args, {
      reject: false,
      cleanup: false,
      env: toolEnvironment,
      extendEnv: false,
      timeout: options.timeoutMs,
      killSignal: "SIGKILL",
      maxBuffer: options.maxBuffer ?? defaultMaxBuffer,
      ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    if (result.exitCode !== undefined) span.setAttribute("process.exit.code", result.exitCode);
    if (!result.failed) return { stdout: result.stdout, stderr: result.stderr };
    if (result.timedOut) throw timeoutOf(options);
    const { exitCode, stderr } = result;
    const reason = lastLine(stderr) || result.originalMessage || `exit code ${exitCode}`;
    throw new PodfleetError("RUNTIME_FAILED", `Cannot run "${options.spanName}": ${reason}`, {
      details: { exitCode, stderr },
      cause: result.cause,
    });
  });
}

/** The last line of `text` that says something; tools put the reason there. */
export function lastLine(text: string | undefined): string {
  const lines = text?.split("\n").map((line) => line.trim()) ?? [];
  return lines.findLast((line) => line !== "" && !isAdvice(line)) ?? "";
}

/** mount(8) ends its errors with it. */
function isAdvice(line: string): boolean {
  return line.startsWith("dmesg(1) may have more information");
}

function timeoutOf(options: CommandOptions): PodfleetError {
  return new PodfleetError(
    "RUNTIME_TIMEOUT",
    `Cannot finish "${options.spanName}": no end within ${options.timeoutMs} ms`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Safe to ignore: whatever keeps it from being executed, it is not the tool.
    return false;
  }
}
