/** Reports a failed command: one line on standard error, and podman's exit code. */
import { errorKinds, PodfleetError } from "@podfleet/model/errors";

import type { Shell } from "./shell.ts";

/** @returns the error's exit code: 125, or 126 and 127 for a container's command */
export async function reportFailure(shell: Shell, error: unknown): Promise<number> {
  const failure = PodfleetError.from(error);
  await shell.stderr.print(`Error: ${failure.message}`);
  if (shell.debug) await shell.stderr.print(describe(failure, shell.traceId));
  return errorKinds[failure.code].exitCode;
}

function describe(failure: PodfleetError, traceId: string | undefined): string {
  const lines = [`  code: ${failure.code}`];
  for (const [name, value] of Object.entries(failure.details ?? {})) {
    lines.push(`  ${name}: ${JSON.stringify(value)}`);
  }
  if (traceId) lines.push(`  trace: ${traceId}`);
  if (failure.code === "INTERNAL") lines.push(`  ${stackOf(failure.cause ?? failure)}`);
  return lines.join("\n");
}

function stackOf(error: unknown): string {
  return error instanceof Error && error.stack ? error.stack : String(error);
}
