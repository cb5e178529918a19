import { z } from "zod";

/** A finished span of a stored trace. Ids and times as OpenTelemetry has them. */
export const spanRecordSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  name: z.string(),
  /** Resource attribute `service.name`. */
  serviceName: z.string(),
  /** Resource attribute `host.name`, where the process has one. */
  hostName: z.string().optional(),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  status: z.enum(["unset", "ok", "error"]),
  statusMessage: z.string().optional(),
  attributes: z.record(z.string(), z.unknown()),
});
export type SpanRecord = z.infer<typeof spanRecordSchema>;

/** The stored spans of a trace, in order of their start. */
export const traceSchema = z.object({ traceId: z.string(), spans: z.array(spanRecordSchema) });
export type Trace = z.infer<typeof traceSchema>;
