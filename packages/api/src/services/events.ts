import type { EventRecord } from "@podfleet/model/event";

import type { EventListRequest, EventWatchRequest } from "../requests/events.ts";

export interface EventService {
  /** Lists the last `limit` matching events, oldest first. */
  list(request: EventListRequest): Promise<EventRecord[]>;
  /** Yields events in order of position and without gaps, until the signal is aborted or the process is about to end. */
  watch(request: EventWatchRequest, signal: AbortSignal): AsyncGenerator<EventRecord, void>;
}
