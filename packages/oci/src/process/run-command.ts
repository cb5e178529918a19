/** The one place where a tool is run to its end: each call has a deadline, a bound on its output and a span. */
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
  // Where set-up puts a CRIU that knows the kernel, when the host's own does not.
  "/opt/podfleet/criu/bin",
  ...["/usr/local/sbin", "/usr/local/bin"],
  ...["/usr/sbin", "/usr/bin", "/sbin", "/bin"],
];

/** What tools see of the environment: the same on each host, and messages in English. */
export const toolEnvironment = { PATH: toolDirectories.join(":"), LC_ALL: "C" } as const;

const defaultMaxBuffer = 4 * 1024 * 1024;

/**
 * Absolute path of a tool; looked for in the directories `first` before those that tools are usually in.
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
  /** Absent when it could not be run, or was killed. */
  readonly exitCode: number | undefined;
  /** Why it failed, when standard error does not say. */
  readonly reason: string;
  readonly cause: unknown;
}

/** By posix_spawn(3): starting a container is little more than running tools, and Node's own way takes longer than some of them. */
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
    // It has not been reaped, so the id is still its own.
    process.kill(tool.pid, "SIGKILL");
    // What it has started may hold them open.
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

/** Resolves when the stream has ended or was destroyed; `overflow` is called when it is longer than `bytesMax`. */
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
  // Safe to ignore: a pipe that was destroyed has said all that is kept of it.
  if (stream) await finished(stream).catch(() => undefined);
  return Buffer.concat(chunks).toString("utf8");
}

/** With execa, which feeds streams and stops when either side does. */
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

/** The last line of `text` that says something; tools put the reason there. */
export function lastLine(text: string | undefined): string {
  const lines = text?.split("\n").map((line) => line.trim()) ?? [];
  return lines.findLast((line) => line !== "" && !isAdvice(line)) ?? "";
}

/** mount(8) ends its errors with it. */
function isAdvice(line: string): boolean {
  return line.startsWith("dmesg(1) may have more information");
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
