import { wireErrorOf as apiWireErrorOf } from "@podfleet/api/procedures/error-shape";
import { findDatabaseError } from "@podfleet/db/database-error";
import type { WireError } from "@podfleet/model/errors";

/** What a caller is told of a failure; `input` is what was being read. */
export function wireErrorOf(error: unknown, input?: unknown): WireError {
  return apiWireErrorOf(error, { findFailure: findDatabaseError, input });
}
