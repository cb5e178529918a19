/** Forwards OTLP requests to a collector, byte for byte. */
import { backoffMs } from "@podfleet/base/backoff";
import { systemClock } from "@podfleet/base/clock";

export type OtlpContentType = "application/x-protobuf" | "application/json";

export interface OtlpForwarderOptions {
  /** Base URL, like OTEL_EXPORTER_OTLP_ENDPOINT: `/v1/traces` is appended. */
  readonly endpoint: string;
  readonly onError: (error: unknown) => void;
}

const queuedBytesMax = 16 * 1024 * 1024;
const attemptsMax = 5;
const attemptTimeoutMs = 5_000;

/**
 * Requests wait in a bounded queue and are sent one by one. A request is dropped when the queue is full, when the collector refuses it,
 * or when the collector has failed for some seconds; `onError` is called for each.
 */
export class OtlpForwarder {
  readonly #url: string;
  readonly #onError: (error: unknown) => void;
  readonly #queue: { readonly body: Uint8Array; readonly contentType: OtlpContentType }[] = [];
  #queuedBytes = 0;
  #sending: Promise<void> | undefined;

  constructor(options: OtlpForwarderOptions) {
    this.#url = `${options.endpoint.replace(/\/+$/, "")}/v1/traces`;
    this.#onError = options.onError;
  }

  forward(body: Uint8Array, contentType: OtlpContentType): void {
    if (this.#queuedBytes + body.length > queuedBytesMax) {
      return this.#onError(new Error(`Dropped spans: the queue to "${this.#url}" is full`));
    }
    this.#queue.push({ body, contentType });
    this.#queuedBytes += body.length;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Resolves when the queue is empty. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      try {
        await this.#sendOne(next.body, next.contentType);
      } catch (error) {
        this.#onError(new Error(`Cannot forward spans to "${this.#url}"`, { cause: error }));
      }
      this.#queuedBytes -= next.body.length;
    }
  }

  async #sendOne(body: Uint8Array, contentType: OtlpContentType): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const answer = await post(this.#url, body, contentType);
      if (answer.isTaken) return;
      if (!answer.isRetryable || attempt + 1 >= attemptsMax) throw answer.error;
      await systemClock.sleep(backoffMs(attempt, { minMs: 200, maxMs: 2_000 }));
    }
  }
}

type Answer =
  | { readonly isTaken: true }
  | { readonly isTaken: false; readonly isRetryable: boolean; readonly error: unknown };

/** Statuses that the OTLP/HTTP specification calls retryable. */
const retryableStatuses = [429, 502, 503, 504];

async function post(url: string, body: Uint8Array, contentType: OtlpContentType): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": contentType },
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(attemptTimeoutMs),
    });
    await response.arrayBuffer();
    if (response.ok) return { isTaken: true };
    const isRetryable = retryableStatuses.includes(response.status);
    return { isTaken: false, isRetryable, error: new Error(`HTTP status ${response.status}`) };
  } catch (error) {
    return { isTaken: false, isRetryable: true, error };
  }
}
