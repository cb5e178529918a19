/** What an OCI runtime says when it fails, read into podfleet's errors. */
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

import { lastLine } from "./run-command.ts";

/** A line of `--log-format json`; runc and crun both write it to standard error. */
const logLineSchema = z.object({ level: z.string(), msg: z.string() });

/** The reason in a runtime's standard error: the message of its last line. */
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
 * The error for a runtime that could not create or start a container.
 * @param reason what the runtime said
 * @param command the container's argv[0]
 */
export function creationFailure(reason: string, command: string): PodfleetError {
  if (notFound.some((pattern) => pattern.test(reason))) {
    return new PodfleetError(
      "COMMAND_NOT_FOUND",
      `Cannot run "${command}": no such executable in the container's root filesystem or on its PATH`,
      { details: { command, reason } },
    );
  }
  if (notExecutable.some((pattern) => pattern.test(reason))) {
    return new PodfleetError(
      "COMMAND_NOT_EXECUTABLE",
      `Cannot run "${command}": it exists, but is not a file that may be executed`,
      { details: { command, reason } },
    );
  }
  return new PodfleetError("RUNTIME_FAILED", `Cannot create the container: ${reason}`, {
    details: { reason },
  });
}
