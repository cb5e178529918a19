/**
 * Tracing of a server process: the control plane or an agent. Spans are exported as OTLP protobuf by the function that the process gives,
 * in batches, soon after they end. Spans may be lost when exports fail for long; work never waits for them.
 */
import { setGlobalErrorHandler } from "@opentelemetry/core";
import { withDeadline } from "@podfleet/base/deadline";

import { OtlpSpanExporter } from "./otlp-span-exporter.ts";
import { installTracerProvider, type ProcessIdentity } from "./tracer-provider.ts";

export interface TelemetryOptions extends ProcessIdentity {
  /** Sends one ExportTraceServiceRequest as protobuf, at most `requestBytesMax` bytes. It is retried for some seconds when it rejects. */
  readonly exportSpans: (otlp: Uint8Array) => Promise<void>;
  /** Called with errors of tracing itself: spans that were dropped. */
  readonly onError: (error: unknown) => void;
}

export interface Telemetry {
  /** Resolves when the spans that have ended are exported, or 2 s have passed. */
  readonly flush: () => Promise<void>;
  /** Exports the spans that have ended, within 2 s, and takes no more. */
  readonly shutdown: () => Promise<void>;
}

const scheduledDelayMs = 200;
const exportTimeoutMs = 10_000;
const flushTimeoutMs = 2_000;

/** Installs tracing for the process; call it once, before any span is made. */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  setGlobalErrorHandler((error) => options.onError(error));
  const exporter = new OtlpSpanExporter(options.exportSpans, exportTimeoutMs);
  const provider = installTracerProvider(options, {
    exporter,
    scheduledDelayMillis: scheduledDelayMs,
    exportTimeoutMillis: exportTimeoutMs,
  });
  const bounded = async (work: Promise<void>): Promise<void> => {
    try {
      await withDeadline(
        work,
        flushTimeoutMs,
        () => new Error("Spans could not be exported in time"),
      );
    } catch (error) {
      options.onError(error);
    }
  };
  return {
    flush: async () => await bounded(provider.forceFlush()),
    shutdown: async () => {
      exporter.stopRetrying();
      await bounded(provider.shutdown());
    },
  };
}
