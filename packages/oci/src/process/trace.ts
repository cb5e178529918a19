import { type Attributes, type Span, SpanStatusCode, trace } from "@opentelemetry/api";

/** Runs `body` in a span of the engine's tracer; a rejection ends the span as an error and passes on. */
export async function traced<T>(
  name: string,
  attributes: Attributes,
  body: (span: Span) => Promise<T>,
): Promise<T> {
  return await trace
    .getTracer("podfleet.engine")
    .startActiveSpan(name, { attributes }, async (span) => {
      try {
        return await body(span);
      } catch (error) {
        const reason = error instanceof Error ? error : new Error(String(error));
        span.recordException(reason);
        span.setStatus({ code: SpanStatusCode.ERROR, message: reason.message });
        throw error;
      } finally {
        span.end();
      }
    });
}
