/**
 * HTTP connection to a control plane. All requests of the client go through it, so that each carries the token and the trace context, and
 * each failure to reach the control plane is reported as the same error.
 */
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import type { Span } from "@opentelemetry/api";
import { PodfleetError } from "@podfleet/model/errors";
import { streamSubprotocol, tokenSubprotocolPrefix } from "@podfleet/protocol/stream/open";

export interface ConnectionOptions {
  /** URL of the control plane: `http://127.0.0.1:7575`. */
  readonly url: string;
  readonly token: string;
  /** W3C trace context of a caller without an OpenTelemetry SDK. An active span overrides it. */
  readonly traceparent?: string;
}

/** Errors of an established connection: the control plane may have received the request. */
const brokenOff: readonly string[] = [
  "ECONNRESET",
  "EPIPE",
  "UND_ERR_SOCKET",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_ABORTED",
];

const tracer = trace.getTracer("podfleet.client");

export class Connection {
  /** Without a trailing slash. */
  readonly url: string;
  readonly #token: string;
  readonly #traceparent: string | undefined;

  /** @throws PodfleetError INVALID_INPUT when the URL is not an http or https one */
  constructor(options: ConnectionOptions) {
    this.url = parseUrl(options.url);
    this.#token = options.token;
    this.#traceparent = options.traceparent;
  }

  /**
   * Like the global fetch, with the token and the trace context. Resolves for every status.
   * @throws PodfleetError UNAVAILABLE when the control plane cannot be reached, CANCELLED when the signal is aborted
   */
  async fetch(target: string | URL, init: RequestInit = {}): Promise<Response> {
    const url = new URL(target);
    const method = init.method ?? "GET";
    const span = tracer.startSpan(
      `${method} ${url.pathname}`,
      {
        kind: SpanKind.CLIENT,
        attributes: {
          "http.request.method": method,
          "url.path": url.pathname,
          "server.address": url.hostname,
          "server.port": Number(url.port || (url.protocol === "https:" ? 443 : 80)),
        },
      },
      context.active(),
    );
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${this.#token}`);
    const traceparent = this.traceparent(span);
    if (traceparent) headers.set("traceparent", traceparent);
    try {
      const response = await fetch(url, { ...init, headers });
      span.setAttribute("http.response.status_code", response.status);
      if (!response.ok) span.setStatus({ code: SpanStatusCode.ERROR });
      return response;
    } catch (error) {
      const failure = this.failure(error, init.signal);
      span.setAttribute("error.type", failure.code);
      span.setStatus({ code: SpanStatusCode.ERROR, message: failure.message });
      throw failure;
    } finally {
      span.end();
    }
  }

  /**
   * Opens a WebSocket. The token is sent as a subprotocol, the only way for a browser.
   * @throws PodfleetError UNAUTHENTICATED when the token has invalid characters
   */
  webSocket(path: string): WebSocket {
    const subprotocols = [streamSubprotocol, `${tokenSubprotocolPrefix}${this.#token}`];
    try {
      return new WebSocket(`${this.url.replace(/^http/, "ws")}${path}`, subprotocols);
    } catch (cause) {
      throw new PodfleetError(
        "UNAUTHENTICATED",
        "Cannot send the API token: it has invalid characters",
        {
          cause,
        },
      );
    }
  }

  /** @returns the trace context of `span`, or the caller's when the span is not recorded */
  traceparent(span: Span): string | undefined {
    return traceparentOf(span) ?? this.#traceparent;
  }

  /** @returns the error for an answer that does not come from the API but from another server or a proxy */
  async unexpected(response: Response): Promise<PodfleetError> {
    await response.body?.cancel();
    const answer = `status ${response.status}, ${response.headers.get("content-type") ?? "no content type"}`;
    if (response.status >= 500) {
      return new PodfleetError(
        "UNAVAILABLE",
        `Cannot reach the control plane at "${this.url}": something else answers with ${answer}`,
        { details: { url: this.url, reason: String(response.status) } },
      );
    }
    return new PodfleetError(
      "INVALID_INPUT",
      `Cannot use "${this.url}" as the control plane's URL: it answers with ${answer}, which is not the API's`,
      { details: { url: this.url, status: response.status } },
    );
  }

  /** @returns the error for a failed request or a response body that broke off */
  failure(error: unknown, signal?: AbortSignal | null): PodfleetError {
    if (error instanceof PodfleetError) return error;
    if (signal?.aborted) {
      return new PodfleetError("CANCELLED", "The caller gave up", { cause: error });
    }
    const reason = reasonOf(error);
    // The Fetch Standard forbids some ports.
    if (reason === "bad port") {
      return new PodfleetError(
        "INVALID_INPUT",
        `Cannot use "${this.url}" as the control plane's URL: its port is reserved for another protocol`,
        { cause: error },
      );
    }
    return new PodfleetError(
      "UNAVAILABLE",
      `Cannot reach the control plane at "${this.url}": ${explain(reason)}; check that it runs and that the URL is right`,
      { details: { url: this.url, reason }, cause: error },
    );
  }
}

/** Whether the failed request was certainly not received. */
export function wasNeverSent(error: PodfleetError): boolean {
  const reason = error.details?.["reason"];
  return error.code === "UNAVAILABLE" && typeof reason === "string" && !brokenOff.includes(reason);
}

function parseUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot use ${JSON.stringify(text)} as the control plane's URL: must begin with http:// or https://`,
    );
  }
  return url.href.replace(/\/+$/, "");
}

function traceparentOf(span: Span): string | undefined {
  const { traceId, spanId, traceFlags } = span.spanContext();
  if (!trace.isSpanContextValid(span.spanContext())) return undefined;
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

/** @returns the system error code that caused fetch's "fetch failed", else its message */
function reasonOf(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
    if (cause instanceof AggregateError) return reasonOf(cause.errors[0]);
    if (cause.cause === undefined) return cause.message;
  }
  return String(error);
}

const explanations: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection broke off",
  UND_ERR_SOCKET: "the connection broke off",
  EPIPE: "the connection broke off",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host name cannot be looked up now",
  EHOSTUNREACH: "no route to it",
  ENETUNREACH: "no route to it",
  UND_ERR_CONNECT_TIMEOUT: "no connection within the time limit",
  UND_ERR_HEADERS_TIMEOUT: "no answer within the time limit",
  UND_ERR_BODY_TIMEOUT: "nothing heard within the time limit",
};

function explain(reason: string): string {
  return explanations[reason] ?? reason;
}
