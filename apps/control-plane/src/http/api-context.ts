import type { IncomingHttpHeaders } from "node:http";

import type { ApiContext } from "@podfleet/api/procedures/context";
import type { Services } from "@podfleet/api/services/services";
import { findDatabaseError } from "@podfleet/db/database-error";

import type { Callers } from "../services/api-tokens.ts";
import { callerContext } from "../trace-context.ts";

/** The context of the caller who sends these headers. @throws PodfleetError UNAUTHENTICATED */
export async function apiContextOf(
  { services, callers }: { readonly services: Services; readonly callers: Callers },
  headers: IncomingHttpHeaders,
): Promise<ApiContext> {
  try {
    const caller = await callers.authenticate(headers.authorization);
    return { services, caller, callerContext: callerContext(headers) };
  } catch (error) {
    throw findDatabaseError(error) ?? error;
  }
}
