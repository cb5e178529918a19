/**
 * The one registry of error codes. Every failure that a caller can meet has a code here; messages are sentence case,
 * active, quote the values they name, say the current state and what would be right, and have no final period.
 */
import { z } from "zod";

interface ErrorKind {
  /** The same call may succeed later without the caller changing anything. */
  readonly retryable: boolean;
  /** tRPC's error code at the API; it decides the HTTP status. */
  readonly trpcCode:
    | "BAD_REQUEST"
    | "UNAUTHORIZED"
    | "FORBIDDEN"
    | "NOT_FOUND"
    | "TIMEOUT"
    | "CONFLICT"
    | "PRECONDITION_FAILED"
    | "PAYLOAD_TOO_LARGE"
    | "NOT_IMPLEMENTED"
    | "CLIENT_CLOSED_REQUEST"
    | "SERVICE_UNAVAILABLE"
    | "INTERNAL_SERVER_ERROR";
  /** What the CLI ends with, as podman does: 125 for podfleet's own errors, 126 and 127 for the command's. */
  readonly exitCode: 125 | 126 | 127;
  readonly doc: string;
}

export const errorKinds = {
  INVALID_INPUT: {
    retryable: false,
    trpcCode: "BAD_REQUEST",
    exitCode: 125,
    doc: "A field of the request has a value that is not allowed",
  },
  UNAUTHENTICATED: {
    retryable: false,
    trpcCode: "UNAUTHORIZED",
    exitCode: 125,
    doc: "No valid API token was presented",
  },
  FORBIDDEN: {
    retryable: false,
    trpcCode: "FORBIDDEN",
    exitCode: 125,
    doc: "The token's role does not allow the call",
  },
  CONTAINER_NOT_FOUND: {
    retryable: false,
    trpcCode: "NOT_FOUND",
    exitCode: 125,
    doc: "No container has that name, id or id prefix",
  },
  HOST_NOT_FOUND: {
    retryable: false,
    trpcCode: "NOT_FOUND",
    exitCode: 125,
    doc: "No host has that name or id",
  },
  IMAGE_NOT_FOUND: {
    retryable: false,
    trpcCode: "NOT_FOUND",
    exitCode: 125,
    doc: "No image has that name or id on the host or hosts in question",
  },
  OPERATION_NOT_FOUND: {
    retryable: false,
    trpcCode: "NOT_FOUND",
    exitCode: 125,
    doc: "No operation has that id",
  },
  TRACE_NOT_FOUND: {
    retryable: false,
    trpcCode: "NOT_FOUND",
    exitCode: 125,
    doc: "No spans of that trace are stored",
  },
  CHECKPOINT_NOT_FOUND: {
    retryable: false,
    trpcCode: "NOT_FOUND",
    exitCode: 125,
    doc: "The container has no checkpoint of the kind that the call needs",
  },
  CHECKPOINT_INVALID: {
    retryable: false,
    trpcCode: "BAD_REQUEST",
    exitCode: 125,
    doc: "The archive is not a checkpoint, is cut off, or does not fit the host",
  },
  CHECKPOINT_FAILED: {
    retryable: false,
    trpcCode: "PRECONDITION_FAILED",
    exitCode: 125,
    doc: "CRIU could not save or revive the container's processes, and says why",
  },
  TRANSFER_NOT_FOUND: {
    retryable: true,
    trpcCode: "NOT_FOUND",
    exitCode: 125,
    doc: "A stream from a host was dropped: nobody read it for a minute, or its agent restarted",
  },
  PATH_NOT_FOUND: {
    retryable: false,
    trpcCode: "NOT_FOUND",
    exitCode: 125,
    doc: "The container's root filesystem has nothing at that path",
  },
  ARTIFACT_NOT_FOUND: {
    retryable: false,
    trpcCode: "NOT_FOUND",
    exitCode: 125,
    doc: "The container has no artifact of that name",
  },
  EXEC_NOT_FOUND: {
    retryable: false,
    trpcCode: "NOT_FOUND",
    exitCode: 125,
    doc: "The container has no exec session of that id, or it is no longer kept",
  },
  EXEC_IN_USE: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "The exec session runs, or a session of that id has been started before",
  },
  SESSION_NOT_FOUND: {
    retryable: false,
    trpcCode: "NOT_FOUND",
    exitCode: 125,
    doc: "No host that answers has a session of that id, or it is no longer kept",
  },
  SESSION_ENDED: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "The session has ended: someone closed it, no client came back in time, or its container was removed",
  },
  SESSION_IN_USE: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "Another connection has taken the session over, or another session has the input to itself",
  },
  CANNOT_INVOKE: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 126,
    doc: "The container's state does not allow a command to be run in it",
  },
  AMBIGUOUS_ID: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "An id prefix fits more than one container",
  },
  NAME_IN_USE: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "Another container of the fleet has that name",
  },
  CONFLICT: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "The operation id was already used for another request",
  },
  STATE_INVALID: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "The state of the container or session does not allow the method",
  },
  ALREADY_STOPPED: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "The container has already stopped",
  },
  ALREADY_PAUSED: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "The container is paused already",
  },
  NOT_PAUSED: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "The container is not paused",
  },
  NOT_MOUNTED: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "No user has the container's root filesystem mounted",
  },
  DEPENDENCY_NOT_RUNNING: {
    retryable: true,
    trpcCode: "PRECONDITION_FAILED",
    exitCode: 125,
    doc: "Containers that this one depends on are not running",
  },
  DEPENDENCY_CYCLE: {
    retryable: false,
    trpcCode: "BAD_REQUEST",
    exitCode: 125,
    doc: "Containers depend on each other in a circle",
  },
  DEPENDENCY_IN_USE: {
    retryable: false,
    trpcCode: "CONFLICT",
    exitCode: 125,
    doc: "Other containers depend on this one",
  },
  HOST_UNREACHABLE: {
    retryable: true,
    trpcCode: "SERVICE_UNAVAILABLE",
    exitCode: 125,
    doc: "The host's agent does not answer",
  },
  NO_HOST_FITS: {
    retryable: true,
    trpcCode: "PRECONDITION_FAILED",
    exitCode: 125,
    doc: "No host meets the placement's constraints and has the resources free",
  },
  COMMAND_NOT_FOUND: {
    retryable: false,
    trpcCode: "BAD_REQUEST",
    exitCode: 127,
    doc: "The command does not exist in the container's root filesystem",
  },
  COMMAND_NOT_EXECUTABLE: {
    retryable: false,
    trpcCode: "BAD_REQUEST",
    exitCode: 126,
    doc: "The command exists but cannot be invoked",
  },
  COMMAND_FAILED: {
    retryable: false,
    trpcCode: "PRECONDITION_FAILED",
    exitCode: 125,
    doc: "The command of a batch's exec step did not end with exit code 0",
  },
  RUNTIME_FAILED: {
    retryable: false,
    trpcCode: "INTERNAL_SERVER_ERROR",
    exitCode: 125,
    doc: "The OCI runtime or the monitor refused or failed",
  },
  RUNTIME_TIMEOUT: {
    retryable: true,
    trpcCode: "TIMEOUT",
    exitCode: 125,
    doc: "The OCI runtime or the monitor did not answer within its deadline",
  },
  STORAGE_FAILED: {
    retryable: false,
    trpcCode: "INTERNAL_SERVER_ERROR",
    exitCode: 125,
    doc: "A mount or a file of the container's storage failed",
  },
  IMAGE_INVALID: {
    retryable: false,
    trpcCode: "BAD_REQUEST",
    exitCode: 125,
    doc: "The archive is not an OCI or Docker image archive, or its digests do not match",
  },
  LOCK_TIMEOUT: {
    retryable: true,
    trpcCode: "TIMEOUT",
    exitCode: 125,
    doc: "Another operation held the container's lock for longer than the wait allows",
  },
  INTERRUPTED: {
    retryable: false,
    trpcCode: "INTERNAL_SERVER_ERROR",
    exitCode: 125,
    doc: "The agent ended during the operation and could neither finish nor repeat it safely",
  },
  TIMEOUT: {
    retryable: true,
    trpcCode: "TIMEOUT",
    exitCode: 125,
    doc: "The call did not end within its deadline",
  },
  CANCELLED: {
    retryable: false,
    trpcCode: "CLIENT_CLOSED_REQUEST",
    exitCode: 125,
    doc: "The caller gave up",
  },
  UNSUPPORTED: {
    retryable: false,
    trpcCode: "NOT_IMPLEMENTED",
    exitCode: 125,
    doc: "The host's kernel or tools lack what the call needs",
  },
  SCHEMA_TOO_NEW: {
    retryable: false,
    trpcCode: "PRECONDITION_FAILED",
    exitCode: 125,
    doc: "A newer podfleet has written the host's store or the database: this one does not know its schema",
  },
  UNAVAILABLE: {
    retryable: true,
    trpcCode: "SERVICE_UNAVAILABLE",
    exitCode: 125,
    doc: "The control plane, Postgres or NATS cannot be reached",
  },
  INTERNAL: {
    retryable: false,
    trpcCode: "INTERNAL_SERVER_ERROR",
    exitCode: 125,
    doc: "A defect in podfleet",
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

export const errorCodes = Object.keys(errorKinds) as [ErrorCode, ...ErrorCode[]];

/** An error as it crosses a process boundary. `details` holds JSON values a program may act on. */
export const wireErrorSchema = z.object({
  code: z.enum(errorCodes),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type WireError = z.infer<typeof wireErrorSchema>;

export interface PodfleetErrorOptions {
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An operating error of a known kind. The message is for the caller; `cause` stays in the process. */
export class PodfleetError extends Error {
  override readonly name = "PodfleetError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: PodfleetErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.details = options.details;
  }

  get retryable(): boolean {
    return errorKinds[this.code].retryable;
  }

  toWire(): WireError {
    return {
      code: this.code,
      message: this.message,
      ...(this.details ? { details: { ...this.details } } : {}),
    };
  }

  static fromWire(wire: WireError): PodfleetError {
    return new PodfleetError(
      wire.code,
      wire.message,
      wire.details ? { details: wire.details } : {},
    );
  }

  /** `error` itself when it is a PodfleetError; otherwise an INTERNAL one with `error` as its cause. */
  static from(error: unknown): PodfleetError {
    if (error instanceof PodfleetError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    return new PodfleetError("INTERNAL", `Unexpected failure: ${reason}`, { cause: error });
  }
}

/** Whether `error` is a PodfleetError with one of `codes`. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is PodfleetError {
  return error instanceof PodfleetError && codes.includes(error.code);
}

/** Whether `error` says that an agent or a replica of the control plane cannot be reached at the moment, and may be back soon. */
export function isUnreachable(error: unknown): error is PodfleetError {
  return hasCode(error, "HOST_UNREACHABLE", "UNAVAILABLE");
}
