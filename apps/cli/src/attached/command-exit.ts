import { PodfleetError } from "@podfleet/model/errors";
import type { CommandExit } from "@podfleet/model/session";

/**
 * The exit code of a command.
 * @param what names it: `container "web"`
 * @throws PodfleetError TIMEOUT when its time was up; RUNTIME_FAILED when its exit code is unknown
 */
export function exitCodeOf(what: string, { exitCode, timedOut }: Partial<CommandExit>): number {
  if (exitCode !== undefined) return exitCode;
  if (timedOut) {
    throw new PodfleetError("TIMEOUT", `Cannot finish ${what}: it ran for as long as it may`);
  }
  throw new PodfleetError(
    "RUNTIME_FAILED",
    `Cannot tell how ${what} ended: its monitor died, so its exit code is unknown`,
  );
}
