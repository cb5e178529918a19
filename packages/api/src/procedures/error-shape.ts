/** Formats errors for callers of the API: `data.podfleet` holds the registry's code, message and details. */
import { errorKinds, PodfleetError, type WireError } from "@podfleet/model/errors";
import { inputError } from "@podfleet/model/input-error";
import { TRPCError } from "@trpc/server";
import {
  getStatusCodeFromKey,
  TRPC_ERROR_CODES_BY_KEY,
} from "@trpc/server/unstable-core-do-not-import";
import { ZodError } from "zod";

interface ErrorSource {
  /** Finds the operating failure behind an error; undefined for a defect. */
  readonly findFailure?: ((error: unknown) => PodfleetError | undefined) | undefined;
  readonly input?: unknown;
}

export function errorShape(
  error: TRPCError,
  call: ErrorSource & { readonly path: string | undefined },
) {
  const podfleet = wireErrorOf(error, call);
  const code = errorKinds[podfleet.code].trpcCode;
  return {
    message: podfleet.message,
    code: TRPC_ERROR_CODES_BY_KEY[code],
    data: { code, httpStatus: httpStatusOf(podfleet), path: call.path, podfleet },
  };
}

export function httpStatusOf(error: WireError): number {
  return getStatusCodeFromKey(errorKinds[error.code].trpcCode);
}

/** The error that the caller gets. The cause of a defect is logged only. */
export function wireErrorOf(error: unknown, { findFailure, input }: ErrorSource): WireError {
  const cause = error instanceof TRPCError ? (error.cause ?? error) : error;
  if (cause instanceof PodfleetError) return tellable(cause).toWire();
  if (cause instanceof ZodError) return inputError(cause, input).toWire();
  const failure = findFailure?.(cause) ?? (isRefused(error) ? refusal(error) : defect);
  return failure.toWire();
}

const defect = new PodfleetError("INTERNAL", "Internal failure: the control plane's log says why");

/** The message of an INTERNAL error. An agent's is meant for callers; that of this process may say more than a caller should read. */
function tellable(error: PodfleetError): PodfleetError {
  return error.code === "INTERNAL" && error.cause !== undefined && !error.details ? defect : error;
}

/** Errors of requests that tRPC or fastify refuse. */
const refusals: ReadonlySet<TRPCError["code"]> = new Set([
  "PARSE_ERROR",
  "BAD_REQUEST",
  "NOT_FOUND",
  "METHOD_NOT_SUPPORTED",
  "UNSUPPORTED_MEDIA_TYPE",
  "PAYLOAD_TOO_LARGE",
]);

function isRefused(error: unknown): error is Error {
  if (error instanceof TRPCError) return refusals.has(error.code);
  if (!(error instanceof Error) || !("statusCode" in error)) return false;
  const { statusCode } = error;
  return typeof statusCode === "number" && statusCode >= 400 && statusCode < 500;
}

function refusal(error: Error): PodfleetError {
  return new PodfleetError("INVALID_INPUT", `Cannot read the request: ${error.message}`, {
    cause: error,
  });
}
