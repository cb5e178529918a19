import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSession } from "@podfleet/model/exec";

/** @throws PodfleetError STATE_INVALID that names the session and its state */
export function assertRunning({ id, state }: ExecSession, verb: string): void {
  if (state === "running") return;
  throw new PodfleetError(
    "STATE_INVALID",
    `Cannot ${verb} exec session "${id}": state is "${state}", must be "running"`,
    { details: { execId: id, state, allowed: ["running"] } },
  );
}
