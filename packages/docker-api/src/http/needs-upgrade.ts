import { PodfleetError } from "@podfleet/model/errors";

/** Of a request for a stream both ways that does not ask to leave HTTP. */
export function needsUpgrade(): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    'Cannot attach without an upgrade: the headers must have "Connection: Upgrade" and "Upgrade: tcp"',
  );
}
