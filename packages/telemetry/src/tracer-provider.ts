/** The tracing set-up of every process: W3C trace context, batches of spans, bounded attributes. */
import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";

export interface ProcessIdentity {
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** Distinguishes the processes of one service. */
  readonly instanceId: string;
  /** Name of the fleet's host that the process serves. */
  readonly hostName?: string | undefined;
}

export interface BatchOptions {
  readonly exporter: SpanExporter;
  readonly scheduledDelayMillis: number;
  readonly exportTimeoutMillis: number;
}

const batchSpansMax = 512;
/** Bound of the spans that wait for export; further ones are dropped. */
const queuedSpansMax = 8_192;

/** Installs the process's global tracer provider, propagator and context manager. Once per process. */
export function installTracerProvider(
  identity: ProcessIdentity,
  batch: BatchOptions,
): TracerProvider {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": identity.serviceName,
      "service.version": identity.serviceVersion,
      "service.instance.id": identity.instanceId,
      ...(identity.hostName === undefined ? {} : { "host.name": identity.hostName }),
    }),
    spanLimits: { attributeCountLimit: 64, attributeValueLengthLimit: 4_096 },
    spanProcessors: [
      new BatchSpanProcessor({
        ...batch,
        maxExportBatchSize: batchSpansMax,
        maxQueueSize: queuedSpansMax,
      }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return provider;
}
