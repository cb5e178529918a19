import { basename } from "node:path";
import { Readable } from "node:stream";

import { PodfleetError } from "@podfleet/model/errors";
import { execa } from "execa";

import { lastLine, toolEnvironment } from "./run-command.ts";
import { traced } from "./trace.ts";

export interface StreamCommandOptions {
  /** Low-cardinality: `tar create`. */
  readonly spanName: string;
  readonly cwd?: string;
  /** Ends the tool. It also ends when the stream is destroyed and it writes on. */
  readonly signal: AbortSignal;
  /** Beside 0, when the tool has done its work with these too. */
  readonly goodExitCodes?: readonly number[];
}

/**
 * Runs a tool for its standard output, at the pace of who reads it. The stream's end says that the tool ended well.
 * Otherwise the stream fails with RUNTIME_FAILED and the tool's last line.
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
  // At once: execa lets go of what nobody has asked for.
  const output = tool.iterable({ binary: true });
  // Safe to ignore: the stream fails too, and its reader is told.
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

/** The same bytes; the failure as one of the registry. */
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
