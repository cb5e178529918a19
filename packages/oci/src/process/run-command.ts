/** Runs tools to their end: each call has a deadline, a bound on its output and a span. */
import { accessSync, constants } from "node:fs";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";

import type { Attributes } from "@opentelemetry/api";
import { PodfleetError } from "@podfleet/model/errors";
import { execa } from "execa";

import { spawnProcess } from "./spawn-process.ts";
import { traced } from "./trace.ts";

export interface CommandOptions {
  /** The time after which the tool is killed. */
  readonly timeoutMs: number;
  /** The span's name, of low cardinality: `runc start`, `mount overlay`. */
  readonly spanName: string;
  readonly attributes?: Attributes;
  /** The tool's standard input; /dev/null when absent. */
  readonly input?: string | Uint8Array | Readable;
  readonly cwd?: string;
  /** The most bytes of standard output, and of standard error; a tool that writes more fails. */
  readonly maxBuffer?: number;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
}

const toolDirectories = [
  // For a CRIU that set-up has built, when the host's own does not know the kernel.
  "/opt/podfleet/criu/bin",
  ...["/usr/local/sbin", "/usr/local/bin"],
  ...["/usr/sbin", "/usr/bin", "/sbin", "/bin"],
];

/** The environment of tools: the same on each host, with messages in English. */
export const toolEnvironment = { PATH: toolDirectories.join(":"), LC_ALL: "C" } as const;

const defaultMaxBuffer = 4 * 1024 * 1024;

/**
 * Finds the absolute path of a tool, in the directories `first` before the usual ones.
 * @throws PodfleetError UNSUPPORTED when the host does not have it
 */
export function findTool(name: string, first: readonly string[] = []): string {
  const paths = [...first, ...toolDirectories].map((directory) => join(directory, name));
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
    const run = options.input === undefined ? runAlone : runWithInput;
    const { failed, timedOut, exitCode, ...result } = await run(file, args, options);
    if (exitCode !== undefined) span.setAttribute("process.exit.code", exitCode);
    if (!failed) return { stdout: result.stdout, stderr: result.stderr };
    if (timedOut) {
      throw new PodfleetError(
        "RUNTIME_TIMEOUT",
        `Cannot finish "${options.spanName}": no end within ${options.timeoutMs} ms`,
      );
    }
    const reason = lastLine(result.stderr) || result.reason;
    throw new PodfleetError("RUNTIME_FAILED", `Cannot run "${options.spanName}": ${reason}`, {
      details: { exitCode, stderr: result.stderr },
      cause: result.cause,
    });
  });
}

interface Outcome extends CommandResult {
  readonly failed: boolean;
  readonly timedOut: boolean;
  /** Undefined when the tool could not be run, or was killed. */
  readonly exitCode: number | undefined;
  /** The reason of a failure, for when standard error does not say. */
  readonly reason: string;
  readonly cause: unknown;
}

/** Runs a tool by posix_spawn(3), as Node's own way of starting a process takes longer than some tools run. */
async function runAlone(
  file: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<Outcome> {
  const { cwd, timeoutMs, maxBuffer = defaultMaxBuffer } = options;
  const descriptors = ["null", "writes", "writes"] as const;
  const path = file.includes("/") ? file : findTool(file);
  const tool = spawnProcess(path, args, { env: toolEnvironment, cwd, descriptors });
  let reason = "";
  const end = (why: string): void => {
    reason = why;
    // The tool has not been reaped, so the id is still its own.
    process.kill(tool.pid, "SIGKILL");
    // Processes that the tool has started may hold the pipes open.
    for (const pipe of tool.pipes.values()) pipe.destroy();
  };
  const timeout = `no end within ${timeoutMs} ms`;
  const timer = setTimeout(end, timeoutMs, timeout);
  const overflow = (): void => end(`its output is longer than ${maxBuffer} bytes`);
  const texts = [1, 2].map(async (at) => await readText(tool.pipes.get(at), maxBuffer, overflow));
  const [stdout = "", stderr = ""] = await Promise.all(texts);
  const { exitCode, signal } = await tool.reap();
  clearTimeout(timer);
  const failed = exitCode !== 0 || reason !== "";
  reason ||= exitCode === undefined ? `ended by signal ${signal}` : `exit code ${exitCode}`;
  const timedOut = reason === timeout;
  return { stdout: stdout.trimEnd(), stderr, failed, timedOut, exitCode, reason, cause: undefined };
}

/** Reads the stream until it ends or is destroyed; calls `overflow` when it is longer than `bytesMax`. */
async function readText(
  stream: Readable | undefined,
  bytesMax: number,
  overflow: () => void,
): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  stream?.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > bytesMax) overflow();
  });
  // Safe to ignore: a pipe is destroyed once the tool is killed, and what it carried until then is kept.
  if (stream) await finished(stream).catch(() => undefined);
  return Buffer.concat(chunks).toString("utf8");
}

/** Runs a tool with execa, which feeds it a stream and stops when either side does. */
async function runWithInput(
  file: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<Outcome> {
  const { input = "", timeoutMs, cwd } = options;
  const result = await execa(file, args, {
    input,
    env: toolEnvironment,
    extendEnv: false,
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    maxBuffer: options.maxBuffer ?? defaultMaxBuffer,
    reject: false,
    cleanup: false,
    ...(cwd === undefined ? {} : { cwd }),
  });
  const { stdout, stderr, failed, timedOut, exitCode, cause } = result;
  const reason = result.originalMessage || `exit code ${exitCode}`;
  return { stdout, stderr, failed, timedOut, exitCode, reason, cause };
}

/** Returns the last line of `text` with content, where tools write the reason of a failure. */
export function lastLine(text: string | undefined): string {
  const lines = text?.split("\n").map((line) => line.trim()) ?? [];
  return lines.findLast((line) => line !== "" && !isAdvice(line)) ?? "";
}

/** Tells whether the line is the advice that mount(8) ends its errors with. */
function isAdvice(line: string): boolean {
  return line.startsWith("dmesg(1) may have more information");
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Safe to ignore: a file that cannot be executed is not the tool.
    return false;
  }
}
