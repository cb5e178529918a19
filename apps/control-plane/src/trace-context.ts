import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  trace,
} from "@opentelemetry/api";
import { endSpan } from "@podfleet/bus/trace-context";

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** The trace context in a caller's W3C headers. */
export function callerContext(headers: Headers): Context {
  return propagation.extract(ROOT_CONTEXT, headers);
}

/** The id of the active trace; undefined when it is not recorded. */
export function activeTraceId(): string | undefined {
  const span = trace.getSpan(context.active());
  return span?.isRecording() ? span.spanContext().traceId : undefined;
}

/** Runs `handle` in a span that continues the caller's trace. */
export async function inServerSpan<T>(
  name: string,
  headers: Headers,
  handle: () => Promise<T>,
): Promise<T> {
  const tracer = trace.getTracer("podfleet.control-plane");
  const options = { kind: SpanKind.SERVER };
  return await tracer.startActiveSpan(name, options, callerContext(headers), async (span) => {
    return await endSpan(span, handle());
  });
}
