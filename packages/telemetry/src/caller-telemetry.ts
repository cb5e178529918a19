/**
 * Tracing of a caller (the CLI, a script): spans go to the control plane over HTTP with the caller's token. It is cheap to import,
 * because a command waits for the import, and never delays a command: spans that cannot be delivered soon are dropped.
 */
import { setGlobalErrorHandler } from "@opentelemetry/core";
import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { withDeadline } from "@podfleet/base/deadline";

import { reportExport } from "./export-result.ts";
import { installTracerProvider } from "./tracer-provider.ts";

export interface CallerTelemetryOptions {
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** URL of the control plane, without a path: `http://127.0.0.1:7575`. */
  readonly url: string;
  readonly token: string;
}

export interface CallerTelemetry {
  /** Resolves when ended spans are delivered or dropped, within 500 ms. Never rejects. */
  readonly flush: () => Promise<void>;
}

const scheduledDelayMs = 1_000;
const flushTimeoutMs = 500;

/** Installs tracing for the process; call it once, before any span is made. */
export function startCallerTelemetry(options: CallerTelemetryOptions): CallerTelemetry {
  // Safe to ignore: a command must not fail, nor say anything, because its trace was lost.
  setGlobalErrorHandler(() => undefined);
  const provider = installTracerProvider(
    { ...options, instanceId: `${process.pid}` },
    {
      exporter: new HttpSpanExporter(options),
      scheduledDelayMillis: scheduledDelayMs,
      exportTimeoutMillis: flushTimeoutMs,
    },
  );
  return {
    flush: async () => {
      const late = new Error("Spans could not be delivered in time");
      await withDeadline(provider.forceFlush(), flushTimeoutMs, () => late).catch(() => {
        // Safe to ignore: as above.
      });
    },
  };
}

class HttpSpanExporter implements SpanExporter {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: CallerTelemetryOptions) {
    this.#url = new URL("/v1/traces", options.url).href;
    this.#headers = {
      authorization: `Bearer ${options.token}`,
      "content-type": "application/json",
    };
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter["export"]>[1]): void {
    void reportExport(this.#post(spans), done);
  }

  async shutdown(): Promise<void> {
    // No resources to release.
  }

  async #post(spans: ReadableSpan[]): Promise<void> {
    const body = JsonTraceSerializer.serializeRequest(spans);
    if (body === undefined) return;
    const response = await fetch(this.#url, {
      method: "POST",
      headers: this.#headers,
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(flushTimeoutMs),
    });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
  }
}
