/** Decodes the spans of an OTLP request, so that they can be stored and shown without a collector. */
import { PodfleetError } from "@podfleet/model/errors";
import type { SpanRecord } from "@podfleet/model/span";
import { z } from "zod";

import { decodeTraceRequest } from "./otlp-protobuf.ts";

/**
 * The spans of an ExportTraceServiceRequest, protobuf or JSON.
 * @throws PodfleetError INVALID_INPUT when it is not one
 */
export function decodeSpans(
  otlp: Uint8Array,
  contentType: "application/x-protobuf" | "application/json",
): SpanRecord[] {
  try {
    const request =
      contentType === "application/json"
        ? (JSON.parse(new TextDecoder().decode(otlp)) as unknown)
        : decodeTraceRequest(otlp);
    return requestSchema.parse(request).resourceSpans.flatMap(spansOfResource);
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot read the spans: must be an OTLP trace request as ${contentType}: ${reason}`,
      { cause: error },
    );
  }
}

type AnyValue = z.infer<typeof anyValueSchema>;

const anyValueSchema = z.object({
  stringValue: z.string().optional(),
  boolValue: z.boolean().optional(),
  intValue: z.union([z.string(), z.number()]).optional(),
  doubleValue: z.number().optional(),
  get arrayValue() {
    return z.object({ values: z.array(anyValueSchema).default([]) }).optional();
  },
});

const attributesSchema = z
  .array(z.object({ key: z.string(), value: anyValueSchema.optional() }))
  .default([]);

/** Hex digits in JSON, raw bytes in protobuf. */
const idSchema = z.union([
  z
    .string()
    .regex(/^[0-9a-fA-F]*$/)
    .transform((text) => text.toLowerCase()),
  z.instanceof(Uint8Array).transform((bytes) => Buffer.from(bytes).toString("hex")),
]);

const nanosecondsSchema = z
  .union([z.string().regex(/^\d+$/), z.number().int().min(0)])
  .transform(String);

const spanSchema = z.object({
  traceId: idSchema.pipe(z.string().length(32)),
  spanId: idSchema.pipe(z.string().length(16)),
  parentSpanId: idSchema.optional(),
  name: z.string().default(""),
  startTimeUnixNano: nanosecondsSchema,
  endTimeUnixNano: nanosecondsSchema,
  attributes: attributesSchema,
  status: z
    .object({ code: z.number().int().default(0), message: z.string().default("") })
    .default({ code: 0, message: "" }),
});

const resourceSpansSchema = z.object({
  resource: z.object({ attributes: attributesSchema }).default({ attributes: [] }),
  scopeSpans: z.array(z.object({ spans: z.array(spanSchema).default([]) })).default([]),
});

const requestSchema = z.object({ resourceSpans: z.array(resourceSpansSchema).default([]) });

/** OTLP's StatusCode. */
const statuses = ["unset", "ok", "error"] as const;

function spansOfResource(entry: z.infer<typeof resourceSpansSchema>): SpanRecord[] {
  const resource = attributesOf(entry.resource.attributes);
  const serviceName = stringOf(resource["service.name"]) ?? "unknown_service";
  const hostName = stringOf(resource["host.name"]);
  return entry.scopeSpans.flatMap(({ spans }) =>
    spans.map((span) => ({
      traceId: span.traceId,
      spanId: span.spanId,
      ...(span.parentSpanId ? { parentSpanId: span.parentSpanId } : {}),
      name: span.name,
      serviceName,
      ...(hostName === undefined ? {} : { hostName }),
      startTimeUnixNano: span.startTimeUnixNano,
      endTimeUnixNano: span.endTimeUnixNano,
      status: statuses[span.status.code] ?? "unset",
      ...(span.status.message === "" ? {} : { statusMessage: span.status.message }),
      attributes: attributesOf(span.attributes),
    })),
  );
}

function attributesOf(attributes: z.infer<typeof attributesSchema>): Record<string, unknown> {
  return Object.fromEntries(
    attributes.flatMap(({ key, value }) => (value ? [[key, plainValue(value)]] : [])),
  );
}

function stringOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function plainValue(value: AnyValue): unknown {
  if (value.arrayValue) return value.arrayValue.values.map(plainValue);
  const { intValue } = value;
  if (intValue !== undefined) {
    return Number.isSafeInteger(Number(intValue)) ? Number(intValue) : String(intValue);
  }
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? null;
}
