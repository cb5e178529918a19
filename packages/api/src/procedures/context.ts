import type { Context } from "@opentelemetry/api";
import type { Caller } from "@podfleet/model/caller";

import type { Services } from "../services/services.ts";

/** The context of a call. Its caller is authenticated. */
export interface ApiContext {
  readonly services: Services;
  readonly caller: Caller;
  /** The trace context from the `traceparent` header. */
  readonly callerContext: Context;
}
