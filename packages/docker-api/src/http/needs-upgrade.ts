import { PodfleetError } from "@podfleet/model/errors";

/** The error of a request for a bidirectional stream that does not ask for an upgrade. */
export function needsUpgrade(): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    'Cannot attach without an upgrade: the headers must have "Connection: Upgrade" and "Upgrade: tcp"',
  );
}
