/**
 * tRPC subscriptions over server-sent events as async iterators. A slow reader applies back pressure to the server. After a broken
 * connection an iterator continues after the last event that it yielded.
 *
 * Source of the format: @trpc/server's sseStreamProducer. Events are `connected`, `ping`, `return` (the end), unnamed messages with an
 * id and serialized data, and `serialized-error` with tRPC's serialized error shape.
 */
import { withDeadline } from "@podfleet/base/deadline";
import { apiTransformer } from "@podfleet/protocol/api-value";
import { Outage } from "@podfleet/protocol/session/outage";
import type { OutageOptions } from "@podfleet/protocol/session/outage";
import { EventSourceParserStream } from "eventsource-parser/stream";
import type { EventSourceMessage } from "eventsource-parser/stream";
import { z } from "zod";

import type { Connection } from "./connection.ts";
import { wasNeverSent } from "./connection.ts";
import { failureOfShape } from "./failure.ts";

export interface SubscriptionRequest {
  /** Procedure: `events.watch`. */
  readonly path: string;
  readonly input: object;
}

export interface SubscriptionEvent {
  /** As `lastEventId` it resumes the subscription after this event. */
  readonly id: string;
  readonly data: unknown;
}

/** Data of the `connected` event: how long a live connection can be silent. */
const connectedSchema = z.object({ reconnectAfterInactivityMs: z.number().default(60_000) });

/** Longest silence before the `connected` event. */
const silenceMsMax = 60_000;

/** Longest accepted event in characters: 512 KiB of journal in base64, and more. */
const eventLengthMax = 4 * 1024 * 1024;

/**
 * Yields the events of a subscription until the server ends it.
 * @throws PodfleetError the server's error; UNAVAILABLE after an outage of `outageMaxMs`
 */
export async function* subscribe(
  connection: Connection,
  request: SubscriptionRequest,
  options: OutageOptions = {},
): AsyncGenerator<SubscriptionEvent, void> {
  const outage = new Outage(options, wasNeverSent);
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
  request: SubscriptionRequest,
  signal: AbortSignal | undefined,
): AsyncGenerator<SubscriptionEvent, void> {
  const reader = (await open(connection, request, signal)).getReader();
  let silenceMs = silenceMsMax;
  try {
    for (;;) {
      const { event, id = "", data } = await read(connection, reader, { signal, silenceMs });
      switch (event) {
        case "connected":
          silenceMs = connectedSchema.parse(JSON.parse(data)).reconnectAfterInactivityMs;
          break;
        case "return":
          return;
        case "serialized-error":
          throw failureOfShape(deserialize(data));
        case undefined:
          yield { id, data: deserialize(data) };
          break;
      }
    }
  } finally {
    // Safe to ignore: a read has already reported the failure of a broken stream.
    await reader.cancel().catch(() => undefined);
  }
}

async function open(
  connection: Connection,
  { path, input }: SubscriptionRequest,
  signal: AbortSignal | undefined,
): Promise<ReadableStream<EventSourceMessage>> {
  const url = new URL(`${connection.url}/trpc/${path}`);
  url.searchParams.set("input", JSON.stringify(apiTransformer.serialize(input)));
  const response = await connection.fetch(url, {
    headers: { accept: "text/event-stream" },
    ...(signal ? { signal } : {}),
  });
  if (!response.body || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
    throw await connection.unexpected(response);
  }
  return response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream({ maxBufferSize: eventLengthMax }));
}

/** Reads the next message. Fails after `silenceMs`: the server pings more often. */
async function read(
  connection: Connection,
  reader: ReadableStreamDefaultReader<EventSourceMessage>,
  { signal, silenceMs }: { readonly signal: AbortSignal | undefined; readonly silenceMs: number },
): Promise<EventSourceMessage> {
  try {
    const silence = (): Error => new Error(`nothing heard for ${silenceMs / 1000} s`);
    const { done, value } = await withDeadline(reader.read(), silenceMs, silence);
    if (!done) return value;
  } catch (error) {
    throw connection.failure(error, signal);
  }
  throw connection.failure(new Error("the event stream ended early"), signal);
}

function deserialize(data: string): unknown {
  return apiTransformer.deserialize(JSON.parse(data));
}
