/** Keeps the spans of the test process instead of sending them away. */
import type { SpanRecord } from "@podfleet/model/span";
import { decodeSpans } from "@podfleet/telemetry/decode-spans";
import { startTelemetry } from "@podfleet/telemetry/telemetry";

export interface SpanRecorder {
  /** Returns the spans that have ended since the last call. */
  readonly take: () => Promise<SpanRecord[]>;
}

/** Installs tracing for the test file's process; call it once, before any span is made. */
export function startSpanRecorder(): SpanRecorder {
  let spans: SpanRecord[] = [];
  const telemetry = startTelemetry({
    serviceName: "test",
    serviceVersion: "0.0.0",
    instanceId: `${process.pid}`,
    exportSpans: async (otlp) => {
      spans.push(...decodeSpans(otlp, "application/x-protobuf"));
    },
    onError: (error) => {
      throw error;
    },
  });
  return {
    take: async () => {
      await telemetry.flush();
      const taken = spans;
      spans = [];
      return taken;
    },
  };
}
