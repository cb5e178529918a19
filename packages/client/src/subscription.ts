/**
 * tRPC subscriptions over server-sent events, as an async iterator that holds the server back while the reader is slow, and goes
 * on after the last event it yielded when the connection breaks.
 *
 * Source of the format: @trpc/server's sseStreamProducer. Events: `connected`, `ping` and `return` (the end); `message` (no name)
 * with an id and serialized data; `serialized-error` with tRPC's error shape, serialized.
 */
import { PodfleetError } from "@podfleet/model/errors";
import { EventSourceParserStream } from "eventsource-parser/stream";

import type { Connection } from "./connection.ts";
import { failureOfShape } from "./failure.ts";
import { Outage } from "./outage.ts";
import type { OutageOptions } from "./outage.ts";
import { transformer } from "./transformer.ts";

export interface SubscriptionRequest {
  /** The procedure: `events.watch`. */
  readonly path: string;
  readonly input: object;
}

export interface SubscriptionEvent {
  /** Given as `lastEventId`, it resumes after this event. */
  readonly id: string;
  readonly data: unknown;
}

/** Longest event that is accepted, in characters: 512 KiB of journal in base64, and room. */
const eventLengthMax = 4 * 1024 * 1024;

/**
 * Yields the events of a subscription until the server ends it.
 * @throws PodfleetError what the server failed with; UNAVAILABLE after an outage of `outageMaxMs`
 */
export async function* subscribe(
  connection: Connection,
  request: SubscriptionRequest,
  options: OutageOptions = {},
): AsyncGenerator<SubscriptionEvent, void> {
  const outage = new Outage(options);
  let input = request.input;
  for (;;) {
    try {
      for await (const event of connect(connection, { ...request, input }, options.signal)) {
        outage.end();
        input = { ...input, lastEventId: event.id };
        yield event;
      }
      return;
    } catch (error) {
      await outage.survive(error);
    }
  }
}

async function* connect(
  connection: Connection,
  { path, input }: SubscriptionRequest,
  signal: AbortSignal | undefined,
): AsyncGenerator<SubscriptionEvent, void> {
  const url = new URL(`${connection.url}/trpc/${path}`);
  url.searchParams.set("input", JSON.stringify(transformer.serialize(input)));
  const response = await connection.fetch(url, {
    headers: { accept: "text/event-stream" },
    ...(signal ? { signal } : {}),
  });
  if (!response.body || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
    throw await connection.unexpected(response);
  }
  const messages = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream({ maxBufferSize: eventLengthMax }));
  const reader = messages.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw connection.failure(new Error("the event stream ended early"), signal);
      if (value.event === "return") return;
      const data: unknown = value.data === "" ? undefined : JSON.parse(value.data);
      if (value.event === "serialized-error") throw failureOfShape(deserialize(data));
      if (value.event === undefined) yield { id: value.id ?? "", data: deserialize(data) };
    }
  } catch (error) {
    throw connection.failure(error, signal);
  } finally {
    await reader.cancel();
  }
}

function deserialize(data: unknown): unknown {
  if (typeof data !== "string") {
    throw new PodfleetError("INTERNAL", "The control plane sent an event without serialized data");
  }
  return transformer.deserialize(data);
}
