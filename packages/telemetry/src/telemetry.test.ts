import { SpanStatusCode, trace } from "@opentelemetry/api";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";

import { decodeSpans } from "./decode-spans.ts";
import { requestBytesMax } from "./otlp-span-exporter.ts";
import { startTelemetry, type Telemetry } from "./telemetry.ts";

describe("decodeSpans", () => {
  const memory = new InMemorySpanExporter();
  const tracer = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "agent", "host.name": "host-1" }),
    spanProcessors: [new SimpleSpanProcessor({ exporter: memory })],
  }).getTracer("test");
  const span = tracer.startSpan("runc create", {
    startTime: [1_700_000_000, 123_456_789],
    attributes: {
      text: "ü",
      empty: "",
      no: false,
      whole: -3,
      part: 0.5,
      list: ["a", "b"],
    },
  });
  span.setStatus({ code: SpanStatusCode.ERROR, message: "it failed" });
  span.end([1_700_000_001, 1]);
  const finished = memory.getFinishedSpans();
  const expected = [
    {
      traceId: span.spanContext().traceId,
      spanId: span.spanContext().spanId,
      name: "runc create",
      serviceName: "agent",
      hostName: "host-1",
      startTimeUnixNano: "1700000000123456789",
      endTimeUnixNano: "1700000001000000001",
      status: "error",
      statusMessage: "it failed",
      attributes: {
        text: "ü",
        empty: "",
        no: false,
        whole: -3,
        part: 0.5,
        list: ["a", "b"],
      },
    },
  ];

  test("reads what the SDK writes as protobuf", () => {
    const otlp = ProtobufTraceSerializer.serializeRequest(finished) ?? new Uint8Array();
    expect(decodeSpans(otlp, "application/x-protobuf")).toEqual(expected);
  });

  test("reads what the SDK writes as JSON", () => {
    const otlp = JsonTraceSerializer.serializeRequest(finished) ?? new Uint8Array();
    expect(decodeSpans(otlp, "application/json")).toEqual(expected);
  });

  test.each([
    ["cut-off protobuf", new Uint8Array([0x0a, 0x7f, 1]), "application/x-protobuf"],
    ["text that is no JSON", new TextEncoder().encode("{"), "application/json"],
    ["JSON of another shape", new TextEncoder().encode('{"resourceSpans":3}'), "application/json"],
    [
      "a trace id of the wrong length",
      new TextEncoder().encode(
        '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"ab","spanId":"00f067aa0ba902b7","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}',
      ),
      "application/json",
    ],
  ] as const)("refuses %s", (_name, otlp, contentType) => {
    expect(() => decodeSpans(otlp, contentType)).toThrow(
      expect.objectContaining({ code: "INVALID_INPUT" }),
    );
  });
});

describe("startTelemetry", () => {
  let telemetry: Telemetry;
  let requests: Uint8Array[] = [];
  let failuresLeft = 0;
  const errors: unknown[] = [];

  beforeAll(() => {
    telemetry = startTelemetry({
      serviceName: "test",
      serviceVersion: "1",
      instanceId: "a",
      hostName: "host-1",
      exportSpans: async (otlp) => {
        if (failuresLeft > 0) {
          failuresLeft -= 1;
          throw new Error("The way is blocked");
        }
        requests.push(otlp);
      },
      onError: (error) => errors.push(error),
    });
  });

  beforeEach(() => {
    requests = [];
  });

  const received = (): string[] =>
    requests.flatMap((otlp) =>
      decodeSpans(otlp, "application/x-protobuf").map(({ name, parentSpanId }) =>
        parentSpanId === undefined ? name : `child ${name}`,
      ),
    );

  test("exports spans with their parents across awaits", async () => {
    const tracer = trace.getTracer("test");
    await tracer.startActiveSpan("outer", async (outer) => {
      await Promise.resolve();
      tracer.startSpan("inner").end();
      outer.end();
    });
    await telemetry.flush();
    expect(received()).toEqual(["child inner", "outer"]);
  });

  test("tries a batch again when the way is blocked for a moment", async () => {
    failuresLeft = 2;
    trace.getTracer("test").startSpan("late").end();
    await telemetry.flush();
    expect(received()).toEqual(["late"]);
    expect(errors).toEqual([]);
  });

  test("splits a batch that is larger than a request may be", async () => {
    const tracer = trace.getTracer("test");
    const attributes = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [`key${index}`, "x".repeat(4_096)]),
    );
    for (let index = 0; index < 10; index += 1) tracer.startSpan("large", { attributes }).end();
    await telemetry.flush();
    expect(received()).toHaveLength(10);
    expect(requests.length).toBeGreaterThan(1);
    expect(Math.max(...requests.map(({ length }) => length))).toBeLessThanOrEqual(requestBytesMax);
  });
});
