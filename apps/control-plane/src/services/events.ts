import type { ChangeFeed } from "@podfleet/db/change-feed";
import { type EventFilters, lastPosition, listEventsAfter } from "@podfleet/db/events";
import type { EventRecord } from "@podfleet/model/event";

import type { Fleet } from "./fleet.ts";

const batchMax = 500;
/** The longest time between two queries: a notification can be lost with its connection. */
const lookIntervalMs = 5_000;

/**
 * Yields events in order of position, without gaps, until `caller` is aborted or this process is about to end. It begins after the
 * position `after`, else with the first event at or after `since`, else with the next one to come.
 */
export async function* watchEvents(
  { database, draining }: Fleet,
  feed: ChangeFeed,
  request: {
    readonly filters: EventFilters;
    readonly after: number | undefined;
    readonly caller: AbortSignal;
  },
): AsyncGenerator<EventRecord, void> {
  const { filters, after, caller } = request;
  const signal = AbortSignal.any([caller, draining]);
  const { since, ...others } = filters;
  const matching = { ...others, ...(after === undefined ? { since } : {}), limit: batchMax };
  let position = after ?? (since === undefined ? await lastPosition(database) : 0);
  while (!signal.aborted) {
    const { version } = feed;
    // Positions commit in order, so all that fit up to here are visible to the query that follows.
    const end = await lastPosition(database);
    const batch = await listEventsAfter(database, position, matching);
    for (const event of batch) yield event;
    position = Math.max(position, end, batch.at(-1)?.position ?? 0);
    if (batch.length === batchMax) position = batch.at(-1)?.position ?? position;
    else await feed.changedSince(version, { timeoutMs: lookIntervalMs, signal });
  }
}
