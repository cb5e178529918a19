/**
 * Tracing of a server process: the control plane or an agent. Spans leave as OTLP protobuf by whatever way the process
 * has, in batches, soon after they end. Losing some when the way is blocked for long is accepted; holding up work is not.
 */
import { setGlobalErrorHandler } from "@opentelemetry/core";
import { withDeadline } from "@podfleet/base/deadline";

import { OtlpSpanExporter } from "./otlp-span-exporter.ts";
import { installTracerProvider, type ProcessIdentity } from "./tracer-provider.ts";

export interface TelemetryOptions extends ProcessIdentity {
  /** Takes one ExportTraceServiceRequest as protobuf, at most `requestBytesMax` bytes. A rejection is tried again for some seconds. */
  readonly exportSpans: (otlp: Uint8Array) => Promise<void>;
  /** Gets what goes wrong in tracing itself: spans that were dropped. */
  readonly onError: (error: unknown) => void;
}

export interface Telemetry {
  /** Resolves when the spans that have ended are exported, or 2 s have passed. */
  readonly flush: () => Promise<void>;
  /** Exports what has ended and takes no more spans. Within 2 s. */
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
