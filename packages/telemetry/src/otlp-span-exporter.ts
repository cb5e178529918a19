/** A span exporter that encodes the SDK's batches as OTLP requests of bounded size and passes them to a function. */
import type { ExportResult } from "@opentelemetry/core";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace";
import { backoffMs } from "@podfleet/base/backoff";
import { systemClock } from "@podfleet/base/clock";

import { reportExport } from "./export-result.ts";

/** Bound of a request, so that it fits into a NATS message with its headers. */
export const requestBytesMax = 960 * 1024;

export class OtlpSpanExporter implements SpanExporter {
  readonly #send: (otlp: Uint8Array) => Promise<void>;
  readonly #retryMs: number;
  #retries = true;

  /** @param retryMs how long a batch is retried before it is dropped */
  constructor(send: (otlp: Uint8Array) => Promise<void>, retryMs: number) {
    this.#send = send;
    this.#retryMs = retryMs;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    void reportExport(this.#exportAll(spans), done);
  }

  /** Makes later batches be sent once, without retries, because the process is about to end. */
  stopRetrying(): void {
    this.#retries = false;
  }

  async shutdown(): Promise<void> {
    this.stopRetrying();
  }

  async #exportAll(spans: ReadableSpan[]): Promise<void> {
    for (const request of serializeBounded(spans)) await this.#sendWithRetries(request);
  }

  async #sendWithRetries(request: Uint8Array): Promise<void> {
    const deadline = Date.now() + this.#retryMs;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#send(request);
      } catch (error) {
        const delayMs = backoffMs(attempt, { minMs: 100, maxMs: 2_000 });
        if (!this.#retries || Date.now() + delayMs >= deadline) throw error;
        await systemClock.sleep(delayMs);
      }
    }
  }
}

/** Halves a batch until each part fits. @throws Error when a single span does not */
function* serializeBounded(spans: ReadableSpan[]): Generator<Uint8Array> {
  const request = ProtobufTraceSerializer.serializeRequest(spans);
  if (request === undefined) return;
  if (request.length <= requestBytesMax) return yield request;
  const [span] = spans;
  if (span && spans.length === 1) {
    throw new Error(`Span "${span.name}" has ${request.length} bytes`);
  }
  const half = Math.ceil(spans.length / 2);
  yield* serializeBounded(spans.slice(0, half));
  yield* serializeBounded(spans.slice(half));
}
