/**
 * W3C trace context in the headers of NATS messages, and the spans of both ends of a message. A message that is sent outside any span
 * makes none: background work would otherwise bury the traces of callers.
 */
import { headers, type Msg, type MsgHdrs } from "@nats-io/transport-node";
import {
  type Attributes,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from "@opentelemetry/api";
import { PodfleetError } from "@podfleet/model/errors";

const tracer = trace.getTracer("podfleet.bus");

export interface MessageSpan {
  /** Name of the message, of low cardinality: `do`, `journal.read`, `hello`. */
  readonly message: string;
  readonly subject: string;
  readonly attributes: Attributes;
}

/** Runs `send` in a client span, with headers that carry the span's context. */
export async function inSendSpan<T>(
  span: MessageSpan,
  send: (headers: MsgHdrs) => Promise<T>,
): Promise<T> {
  if (!trace.getActiveSpan()) return await send(headers());
  const options = { kind: SpanKind.CLIENT, attributes: attributesOf(span, "request", "send") };
  return await tracer.startActiveSpan(`request ${span.message}`, options, async (active) => {
    const carrier = headers();
    propagation.inject(context.active(), carrier, setter);
    return await endSpan(active, send(carrier));
  });
}

/** Runs `process` in a consumer span that continues the trace in the message's headers. */
export async function inProcessSpan<T>(
  span: MessageSpan,
  message: Msg,
  process: () => Promise<T>,
): Promise<T> {
  const parent = propagation.extract(ROOT_CONTEXT, message.headers, getter);
  if (!trace.getSpanContext(parent)) return await context.with(parent, process);
  const options = { kind: SpanKind.CONSUMER, attributes: attributesOf(span, "process", "process") };
  return await tracer.startActiveSpan(`process ${span.message}`, options, parent, async (active) =>
    endSpan(active, process()),
  );
}

const setter: TextMapSetter<MsgHdrs> = { set: (carrier, key, value) => carrier.set(key, value) };

const getter: TextMapGetter<MsgHdrs | undefined> = {
  get: (carrier, key) => (carrier?.has(key) ? carrier.get(key) : undefined),
  keys: (carrier) => carrier?.keys() ?? [],
};

/** Attributes by OpenTelemetry's semantic conventions for messaging. */
function attributesOf(span: MessageSpan, name: string, type: string): Attributes {
  return {
    "messaging.system": "nats",
    "messaging.operation.name": name,
    "messaging.operation.type": type,
    "messaging.destination.name": span.subject,
    ...span.attributes,
  };
}

/** Ends the span with the result, which passes on; a rejection marks the span as an error. */
export async function endSpan<T>(span: Span, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    const { code, message } = PodfleetError.from(error);
    span.setAttribute("error.type", code);
    span.setStatus({ code: SpanStatusCode.ERROR, message });
    throw error;
  } finally {
    span.end();
  }
}
