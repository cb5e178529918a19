import { wireErrorOf as apiWireErrorOf } from "@podfleet/api/procedures/error-shape";
import { findDatabaseError } from "@podfleet/db/database-error";
import type { WireError } from "@podfleet/model/errors";

/** The error that a caller gets; `input` names the input that was parsed. */
export function wireErrorOf(error: unknown, input?: unknown): WireError {
  return apiWireErrorOf(error, { findFailure: findDatabaseError, input });
}
