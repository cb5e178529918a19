/**
 * The part of opentelemetry-proto 1.x that `decodeSpans` reads; a decoder skips fields that are not listed. Source:
 * https://github.com/open-telemetry/opentelemetry-proto (collector/trace/v1, trace/v1, resource/v1, common/v1).
 */
import protobuf from "protobufjs/light.js";

/** Ids stay bytes and 64-bit numbers become decimal strings, as in OTLP's JSON form. @throws Error when the bytes are cut off or no protobuf */
export function decodeTraceRequest(bytes: Uint8Array): unknown {
  const message = requestType.decode(bytes);
  return requestType.toObject(message, { longs: String });
}

const requestType = protobuf.Root.fromJSON({
  nested: {
    TraceRequest: message({ resourceSpans: repeated("ResourceSpans", 1) }),
    ResourceSpans: message({
      resource: field("Resource", 1),
      scopeSpans: repeated("ScopeSpans", 2),
    }),
    Resource: message({ attributes: repeated("KeyValue", 1) }),
    ScopeSpans: message({ spans: repeated("Span", 2) }),
    Span: message({
      traceId: field("bytes", 1),
      spanId: field("bytes", 2),
      parentSpanId: field("bytes", 4),
      name: field("string", 5),
      startTimeUnixNano: field("fixed64", 7),
      endTimeUnixNano: field("fixed64", 8),
      attributes: repeated("KeyValue", 9),
      status: field("Status", 15),
    }),
    Status: message({ message: field("string", 2), code: field("int32", 3) }),
    KeyValue: message({ key: field("string", 1), value: field("AnyValue", 2) }),
    AnyValue: {
      ...message({
        stringValue: field("string", 1),
        boolValue: field("bool", 2),
        intValue: field("int64", 3),
        doubleValue: field("double", 4),
        arrayValue: field("ArrayValue", 5),
      }),
      // Tells a value that is empty, zero or false from one that is absent.
      oneofs: {
        value: { oneof: ["stringValue", "boolValue", "intValue", "doubleValue", "arrayValue"] },
      },
    },
    ArrayValue: message({ values: repeated("AnyValue", 1) }),
  },
}).lookupType("TraceRequest");

interface Field {
  readonly type: string;
  readonly id: number;
  readonly rule?: "repeated";
}

function field(type: string, id: number): Field {
  return { type, id };
}

function repeated(type: string, id: number): Field {
  return { type, id, rule: "repeated" };
}

function message(fields: Record<string, Field>): { fields: Record<string, Field> } {
  return { fields };
}
