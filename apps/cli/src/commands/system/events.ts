import { timerMsMax } from "@podfleet/base/clock";
import type { WatchRequest } from "@podfleet/client/client";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { EventRecord } from "@podfleet/model/event";
import { eventTypes } from "@podfleet/model/event-type";

import type { Command } from "../../command.ts";
import { parseTime } from "../../flags/quantities.ts";
import { flagError, parseChoice, splitPair } from "../../flags/values.ts";
import { listedEvent } from "../../output/podman-json.ts";
import type { Shell } from "../../shell.ts";
import { connected, verb } from "../../verb.ts";

interface EventsFlags {
  readonly filter: readonly string[];
  readonly since?: string;
  readonly until?: string;
  readonly stream: boolean;
  readonly format: string;
}

/** Most events that the control plane lists at once. */
const listedMax = 10_000;

export function eventsCommand(shell: Shell): Command {
  return verb(shell, {
    name: "events",
    description: "Show the fleet's events as they happen, in order and without gaps",
    examples: [
      "events",
      "events --since 1h --no-stream",
      "events --filter container=web --filter event=died --format json",
    ],
  })
    .listOption(
      "-f, --filter <key=value>",
      "container, host, type or event; values of type and event are alternatives",
    )
    .option(
      "--since <time>",
      "start at this time: RFC 3339, seconds since 1970, or 10m for ten minutes ago",
    )
    .option("--until <time>", "end at this time")
    .option("--no-stream", "show past events only")
    .option("--format <format>", "text, or json for one JSON object per line", "text")
    .action(
      connected(shell, async (client, flags: EventsFlags) => {
        const format = parseChoice("--format", flags.format, ["text", "json"]);
        const nowMs = Date.now();
        const until = flags.until && parseTime("--until", flags.until, nowMs);
        const filters = eventFilters(flags.filter);
        const since = flags.since && parseTime("--since", flags.since, nowMs);
        const request: WatchRequest = { ...filters, ...(since ? { since } : {}) };
        const print = async (event: EventRecord): Promise<void> =>
          shell.stdout.print(
            format === "json" ? JSON.stringify(listedEvent(event)) : describeEvent(event),
          );
        const isPast = until !== undefined && until !== "" && Date.parse(until) <= nowMs;
        if (flags.stream && !isPast) {
          const watch = until ? { request, until } : { request };
          for await (const event of watchUntil(shell, watch)) await print(event);
          return;
        }
        const range = { ...request, ...(until ? { until } : {}), limit: listedMax };
        const events = await client.api.events.list.query(range);
        if (events.length === listedMax) {
          await shell.stderr.print(`Only the last ${listedMax} events are shown: narrow --since`);
        }
        for (const event of events) await print(event);
      }),
    );
}

async function* watchUntil(
  shell: Shell,
  { request, until }: { readonly request: WatchRequest; readonly until?: string },
): AsyncGenerator<EventRecord, void> {
  const client = await shell.client();
  if (until === undefined) {
    yield* client.watchEvents(request, { whenDown: "fail" });
    return;
  }
  const limitMs = Date.parse(until);
  const signal = AbortSignal.timeout(Math.min(limitMs - Date.now(), timerMsMax));
  try {
    for await (const event of client.watchEvents(request, { signal, whenDown: "fail" })) {
      if (Date.parse(event.time) >= limitMs) return;
      yield event;
    }
  } catch (error) {
    if (!(signal.aborted && hasCode(error, "CANCELLED"))) throw error;
  }
}

/** podman's `--filter`: `type=container` and `event=died` together choose `container.died`. */
export function eventFilters(entries: readonly string[]): WatchRequest {
  const filters: WatchRequest = {};
  const kinds: string[] = [];
  const names: string[] = [];
  for (const entry of entries) {
    const [key, value] = splitPair(entry);
    if (!value) throw flagError("--filter", entry, 'must be "KEY=VALUE"');
    if (key === "container" || key === "host") {
      if (filters[key] !== undefined) {
        throw flagError("--filter", entry, `"${key}" may be given once`);
      }
      filters[key] = value;
    } else if (key === "type") kinds.push(value);
    else if (key === "event") names.push(value);
    else throw flagError("--filter", entry, "KEY must be one of container, host, type, event");
  }
  if (kinds.length === 0 && names.length === 0) return filters;
  const types = eventTypes.filter((type) => {
    const [kind = "", name = ""] = type.split(".");
    const fits = (wanted: readonly string[], value: string): boolean =>
      wanted.length === 0 || wanted.includes(value);
    return fits(kinds, kind) && (fits(names, name) || fits(names, type));
  });
  if (types.length > 0) return { ...filters, types };
  throw new PodfleetError(
    "INVALID_INPUT",
    `Cannot use --filter: no event fits; events are ${eventTypes.join(", ")}`,
  );
}

/** podman's format: time, type, action, id, and attributes in parentheses. */
function describeEvent(event: EventRecord): string {
  const [kind, name] = event.type.split(".");
  const subject = event.container?.id ?? event.operationId ?? event.host.name;
  const facts = Object.entries({
    ...(event.container ? { name: event.container.name } : {}),
    host: event.host.name,
    ...event.attributes,
  }).map(([key, value]) => `${key}=${value}`);
  return `${event.time} ${kind} ${name} ${subject} (${facts.join(", ")})`;
}
