/** The checks and errors of a session that cannot be opened, resumed or continued. */
import { PodfleetError } from "@podfleet/model/errors";
import type { SessionId } from "@podfleet/model/ids";
import type { Session } from "@podfleet/model/session";

import type { SessionOpening } from "./session-opening.ts";

/** @throws PodfleetError FORBIDDEN for a session of another caller; INVALID_INPUT for one of another command; SESSION_ENDED */
export function assertResumable(
  session: Session,
  { caller, containerId, spec }: SessionOpening,
): void {
  const { id } = session;
  if (session.caller !== caller) {
    throw new PodfleetError(
      "FORBIDDEN",
      `Cannot resume session "${id}": it was opened by another caller`,
      { details: { sessionId: id } },
    );
  }
  if (session.containerId !== containerId || session.spec.execId !== spec.execId) {
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot open session "${id}": its id is in use for another command, must be a new one`,
      { details: { field: "session", sessionId: id } },
    );
  }
  if (session.end !== undefined) throw sessionEnded(session);
}

/** Sessions of a host that have not ended, at most. Each may keep files open. */
const openMax = 4_096;

/** @throws PodfleetError UNAVAILABLE when the host has too many open sessions */
export function assertRoom(open: readonly Session[]): void {
  if (open.length < openMax) return;
  throw new PodfleetError(
    "UNAVAILABLE",
    `Cannot open a session: the host has ${open.length} that have not ended, must be fewer than ${openMax}`,
  );
}

/** @throws PodfleetError SESSION_IN_USE when this session or one of the others wants the input exclusively */
export function assertInputFree({ spec }: Pick<Session, "spec">, others: readonly Session[]): void {
  if (spec.input === "none") return;
  const other = others.find(({ spec: { input } }) => [input, spec.input].includes("exclusive"));
  if (!other) return;
  const how = other.spec.input === "exclusive" ? "has the input to itself" : "writes to it";
  throw new PodfleetError(
    "SESSION_IN_USE",
    `Cannot write to the command: session "${other.id}" of "${other.caller}" ${how}, close it first or only watch`,
    { details: { sessionId: other.id } },
  );
}

const endings: Readonly<Record<NonNullable<Session["end"]>, string>> = {
  exited: "its command has ended and its exit was delivered",
  closed: "it was closed",
  expired: "no client came back in time",
  gone: "its container or exec session was removed",
};

export function sessionEnded({ id, end = "closed" }: Session): PodfleetError {
  return new PodfleetError("SESSION_ENDED", `Session "${id}" has ended: ${endings[end]}`, {
    details: { sessionId: id, end },
  });
}

export function takenOver(id: SessionId): PodfleetError {
  return new PodfleetError(
    "SESSION_IN_USE",
    `Session "${id}" was taken over by another connection`,
    {
      details: { sessionId: id },
    },
  );
}
