/** The tRPC instance: transformer, error shape, and a procedure that traces each call. */
import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { apiTransformer } from "@podfleet/protocol/api-value";
import { initTRPC } from "@trpc/server";

import type { ApiContext } from "./context.ts";
import { errorShape, wireErrorOf } from "./error-shape.ts";

const t = initTRPC.context<ApiContext>().create({
  transformer: apiTransformer,
  errorFormatter: ({ error, input, path, ctx }) =>
    errorShape(error, { input, path, findFailure: ctx?.services.system.findFailure }),
  sse: {
    ping: { enabled: true, intervalMs: 5_000 },
    client: { reconnectAfterInactivityMs: 15_000 },
  },
});

const tracer = trace.getTracer("podfleet.control-plane");

export const router = t.router;

/** The signal of a call that no caller can abort. */
export const never = new AbortController().signal;

/** A procedure inside a span named after it, a child of the caller's span when the request named one. */
export const procedure = t.procedure.use(async ({ path, ctx, next }) => {
  const options = {
    kind: SpanKind.SERVER,
    attributes: { "rpc.system.name": "trpc", "rpc.method": path },
  };
  return await tracer.startActiveSpan(`trpc ${path}`, options, ctx.callerContext, async (span) => {
    try {
      const result = await next();
      if (!result.ok) {
        const { code, message } = wireErrorOf(result.error, ctx.services.system);
        span.setStatus({ code: SpanStatusCode.ERROR, message });
        span.setAttribute("error.type", code);
      }
      return result;
    } finally {
      span.end();
    }
  });
});
