/** Failures of OCI runtimes as podfleet's errors. */
import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSpec } from "@podfleet/model/exec";
import { z } from "zod";

import { lastLine } from "../process/run-command.ts";

/** A line of `--log-format json`; runc and crun both write it to standard error. */
const logLineSchema = z.object({ level: z.string(), msg: z.string() });

/** Finds the reason in a runtime's standard error: the message of its last line. */
export function reasonOf(stderr: string): string {
  const line = lastLine(stderr);
  return parseLogLine(line)?.msg ?? line;
}

function parseLogLine(line: string): z.infer<typeof logLineSchema> | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return logLineSchema.safeParse(JSON.parse(line)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const notFound = [
  /exec: "([^"]*)": executable file not found in \$PATH/,
  /exec: "([^"]*)": stat [^:]+: no such file or directory/,
  /executable file [`']([^'`]*)[`'] not found in \$PATH/,
];

const notExecutable = [
  /exec: "([^"]*)": (permission denied|is a directory|exec format error)/,
  /open executable: (Permission denied|Operation not permitted|Is a directory)/,
  /exec (?:container process )?.*: (exec format error|permission denied)/i,
];

/**
 * Makes the error for a runtime that could not create or start a container.
 * @param reason the runtime's message
 * @param command the container's argv[0]
 */
export function creationFailure(reason: string, command: string): PodfleetError {
  return commandFailure(reason, command) ?? runtimeFailure("Cannot create the container", reason);
}

const noWorkdir =
  /chdir(?: to cwd \(".*"\) set in config\.json failed)?.*: (?:no such file or directory|not a directory)/i;

/** Makes the error for a runtime that could not run a command in a container. */
export function execFailure(
  reason: string,
  { command: [command = ""], workdir }: Pick<ExecSpec, "command" | "workdir">,
): PodfleetError {
  if (workdir !== undefined && noWorkdir.test(reason)) {
    return new PodfleetError(
      "INVALID_INPUT",
      `Cannot run "${command}" in "${workdir}": no such directory in the container`,
      { details: { field: "workdir", value: workdir, reason } },
    );
  }
  return commandFailure(reason, command) ?? runtimeFailure(`Cannot run "${command}"`, reason);
}

function runtimeFailure(what: string, reason: string): PodfleetError {
  return new PodfleetError("RUNTIME_FAILED", `${what}: ${reason}`, { details: { reason } });
}

function commandFailure(reason: string, command: string): PodfleetError | undefined {
  if (notFound.some((pattern) => pattern.test(reason))) {
    return new PodfleetError(
      "COMMAND_NOT_FOUND",
      `Cannot run "${command}": the container has no such executable, neither at that path nor on its PATH`,
      { details: { command, reason } },
    );
  }
  if (notExecutable.some((pattern) => pattern.test(reason))) {
    return new PodfleetError(
      "COMMAND_NOT_EXECUTABLE",
      `Cannot run "${command}": it exists, but it is not an executable file`,
      { details: { command, reason } },
    );
  }
  return undefined;
}
