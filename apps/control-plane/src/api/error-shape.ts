/** The API's one place where an error gets its outer form: `data.podfleet` holds the registry's code, message and details. */
import { errorKinds, PodfleetError, type WireError } from "@podfleet/model/errors";
import { TRPCError } from "@trpc/server";
import {
  getStatusCodeFromKey,
  TRPC_ERROR_CODES_BY_KEY,
} from "@trpc/server/unstable-core-do-not-import";
import { ZodError } from "zod";

import { inputError } from "./input-error.ts";

interface FailedCall {
  readonly input: unknown;
  readonly path: string | undefined;
}

export function errorShape(error: TRPCError, call: FailedCall) {
  const podfleet = wireErrorOf(error, call.input);
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

/** What the caller is told. The cause of a defect stays in the log. */
export function wireErrorOf(error: unknown, input?: unknown): WireError {
  const cause = error instanceof TRPCError ? (error.cause ?? error) : error;
  if (cause instanceof PodfleetError) return cause.toWire();
  if (cause instanceof ZodError) return inputError(cause, input).toWire();
  if (error instanceof TRPCError && badRequests.has(error.code)) {
    return { code: "INVALID_INPUT", message: `Cannot read the request: ${error.message}` };
  }
  return { code: "INTERNAL", message: "Internal failure: the control plane's log says why" };
}

/** What tRPC itself refuses before a procedure runs. */
const badRequests: ReadonlySet<TRPCError["code"]> = new Set([
  "PARSE_ERROR",
  "BAD_REQUEST",
  "NOT_FOUND",
  "METHOD_NOT_SUPPORTED",
  "UNSUPPORTED_MEDIA_TYPE",
  "PAYLOAD_TOO_LARGE",
]);
