import type { Context } from "@opentelemetry/api";
import type { Caller } from "@podfleet/model/caller";

import type { Services } from "../services/services.ts";

/** There is none without a caller who has presented a valid token. */
export interface ApiContext {
  readonly services: Services;
  readonly caller: Caller;
  /** Holds the caller's span, from the `traceparent` header. */
  readonly callerContext: Context;
}
