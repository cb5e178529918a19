import { basename } from "node:path";
import { Readable } from "node:stream";

import { PodfleetError } from "@podfleet/model/errors";
import { execa } from "execa";

import { lastLine, toolEnvironment } from "./run-command.ts";
import { traced } from "./trace.ts";

export interface StreamCommandOptions {
  /** The span's name, of low cardinality: `tar create`. */
  readonly spanName: string;
  readonly cwd?: string;
  /** Ends the tool, which also ends when it writes to a stream that was destroyed. */
  readonly signal: AbortSignal;
  /** Exit codes beside 0 that mean success. */
  readonly goodExitCodes?: readonly number[];
}

/**
 * Runs a tool and streams its standard output, at the reader's pace. The stream ends when the tool has succeeded, and fails with
 * RUNTIME_FAILED and the tool's last line when it has not.
 */
export function streamCommand(
  file: string,
  args: readonly string[],
  options: StreamCommandOptions,
): Readable {
  const { spanName, cwd, signal, goodExitCodes = [] } = options;
  const tool = execa(file, args, {
    env: toolEnvironment,
    extendEnv: false,
    stdin: "ignore",
    buffer: { stdout: false },
    cancelSignal: signal,
    forceKillAfterDelay: false,
    killSignal: "SIGKILL",
    ...(cwd === undefined ? {} : { cwd }),
  });
  // Taken right away: execa drops output that nobody has asked for.
  const output = tool.iterable({ binary: true });
  // Safe to ignore: the stream fails with the same error.
  traced(spanName, { "process.executable.name": basename(file) }, async () => {
    await tool;
  }).catch(() => undefined);
  return Readable.from(explained(output, { spanName, goodExitCodes }), { objectMode: false });
}

interface FailedTool {
  readonly message: string;
  readonly stderr?: string;
  readonly exitCode?: number;
}

/** Passes the bytes on, and a failure as a PodfleetError. */
async function* explained(
  output: AsyncIterable<Uint8Array>,
  { spanName, goodExitCodes }: { spanName: string; goodExitCodes: readonly number[] },
): AsyncGenerator<Uint8Array> {
  try {
    yield* output;
  } catch (error) {
    const { stderr, message, exitCode } = error as FailedTool;
    if (exitCode !== undefined && goodExitCodes.includes(exitCode)) return;
    throw new PodfleetError(
      "RUNTIME_FAILED",
      `Cannot run "${spanName}": ${lastLine(stderr) || message}`,
      { cause: error },
    );
  }
}
