import { CommanderError } from "commander";

import type { Command } from "./command.ts";
import { readConfig } from "./config.ts";
import { reportFailure } from "./failure.ts";
import { outputOf } from "./output/output.ts";
import { buildProgram } from "./program.ts";
import { Shell } from "./shell.ts";

/** podman's exit code for an invalid command line. */
const usageExitCode = 125;

/** 128 + SIGPIPE: the reader closed the pipe. */
const brokenPipeExitCode = 141;

const shell = new Shell({
  config: readConfig(),
  stdout: outputOf(process.stdout),
  stderr: outputOf(process.stderr),
});

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(brokenPipeExitCode);
    throw error;
  });
}

process.exitCode = await run(buildProgram(shell), process.argv);
await shell.close();

async function run(program: Command, argv: readonly string[]): Promise<number> {
  exitByException(program);
  try {
    await program.parseAsync(argv);
    return shell.exitCode;
  } catch (error) {
    // Commander has printed the error or the help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExitCode;
    return await reportFailure(shell, error);
  }
}

/** Makes commander throw instead of exiting, and print errors in podfleet's format. */
function exitByException(command: Command): void {
  command.exitOverride();
  command.configureOutput({
    outputError: (text, write) =>
      write(text.replace(/^error: (.)/, (_all, first: string) => `Error: ${first.toUpperCase()}`)),
  });
  for (const child of command.commands) exitByException(child as Command);
}
