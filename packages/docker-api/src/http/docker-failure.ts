/** Maps errors of the registry to Docker's: a status, and `{"message": ...}`. */
import { type ErrorCode, errorKinds, PodfleetError } from "@podfleet/model/errors";

export interface DockerFailure {
  readonly status: number;
  readonly message: string;
}

type Kind = (typeof errorKinds)[ErrorCode]["trpcCode"];

/** Docker uses neither 408 nor 412: a failed precondition is a conflict. */
const statuses: Readonly<Record<Kind, number>> = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  PRECONDITION_FAILED: 409,
  CLIENT_CLOSED_REQUEST: 499,
  INTERNAL_SERVER_ERROR: 500,
  NOT_IMPLEMENTED: 501,
  SERVICE_UNAVAILABLE: 503,
  TIMEOUT: 504,
};

export function dockerFailure(error: unknown): DockerFailure {
  const failure = PodfleetError.from(error);
  return { status: statuses[errorKinds[failure.code].trpcCode], message: messageOf(failure) };
}

/** The message, which begins with dockerd's own text where programs are known to look for it. */
function messageOf({ code, message, details = {} }: PodfleetError): string {
  const { container, execId } = details;
  if (code === "EXEC_NOT_FOUND" && typeof execId === "string") {
    return `No such exec instance: ${execId}`;
  }
  if (typeof container !== "string") return message;
  if (code === "CONTAINER_NOT_FOUND") return `No such container: ${container}`;
  return needsRunning(details) ? `Container ${container} is not running: ${message}` : message;
}

/** Whether the call was refused because the container is neither running nor paused. */
function needsRunning({ allowed, state }: Readonly<Record<string, unknown>>): boolean {
  const isDown = state !== "running" && state !== "paused";
  return isDown && Array.isArray(allowed) && allowed.includes("running");
}
