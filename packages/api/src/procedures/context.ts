import type { Context } from "@opentelemetry/api";
import type { ChangeFeed } from "@podfleet/db/change-feed";

import type { Caller } from "../services/api-tokens.ts";
import type { Fleet } from "../services/fleet.ts";
import type { Operations } from "../services/operations.ts";
import type { Traces } from "../services/traces.ts";

/** What procedures work with; the same for every call. */
export interface ApiServices {
  readonly fleet: Fleet;
  readonly operations: Operations;
  readonly feed: ChangeFeed;
  readonly traces: Traces;
}

/** There is none without a caller who has presented a valid token. */
export interface ApiContext extends ApiServices {
  readonly caller: Caller;
  /** Holds the caller's span, from the `traceparent` header. */
  readonly callerContext: Context;
}
