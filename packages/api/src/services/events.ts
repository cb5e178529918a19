import type { EventRecord } from "@podfleet/model/event";

import type { EventListRequest, EventWatchRequest } from "../requests/events.ts";

export interface EventService {
  /** The last `limit` of those that fit, oldest first. */
  list(request: EventListRequest): Promise<EventRecord[]>;
  /** In order of position and without gaps, until the signal is aborted or the process is about to end. */
  watch(request: EventWatchRequest, signal: AbortSignal): AsyncGenerator<EventRecord, void>;
}
