import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import type { TraceReference } from "@podfleet/api/requests/traces";
import type { Database } from "@podfleet/db/database";
import { getOperation } from "@podfleet/db/operations";
import { insertSpans, listSpans } from "@podfleet/db/spans";
import { PodfleetError } from "@podfleet/model/errors";
import type { OperationId } from "@podfleet/model/ids";
import type { Trace } from "@podfleet/model/span";
import { decodeSpans } from "@podfleet/telemetry/decode-spans";
import type { OtlpContentType, OtlpForwarder } from "@podfleet/telemetry/otlp-forwarder";

/** Receives the spans of every process, keeps them in Postgres for a while, and forwards them to a collector when one is set. */
export class Traces {
  readonly #database: Database;
  readonly #forwarder: OtlpForwarder | undefined;

  constructor(database: Database, forwarder: OtlpForwarder | undefined) {
    this.#database = database;
    this.#forwarder = forwarder;
  }

  /** @throws PodfleetError INVALID_INPUT when `otlp` is not an ExportTraceServiceRequest */
  async receive(otlp: Uint8Array, contentType: OtlpContentType): Promise<void> {
    const spans = decodeSpans(otlp, contentType);
    this.#forwarder?.forward(otlp, contentType);
    // Stored outside any span, so that storing spans makes no spans.
    await context.with(ROOT_CONTEXT, async () => await insertSpans(this.#database, spans));
  }

  /** @throws PodfleetError TRACE_NOT_FOUND, OPERATION_NOT_FOUND */
  async get(by: TraceReference): Promise<Trace> {
    const traceId = "traceId" in by ? by.traceId : await this.#traceOf(by.operationId);
    const spans = await listSpans(this.#database, traceId);
    if (spans.length > 0) return { traceId, spans };
    throw new PodfleetError(
      "TRACE_NOT_FOUND",
      `Cannot find trace "${traceId}": none of its spans is stored`,
      { details: { traceId } },
    );
  }

  async #traceOf(operationId: OperationId): Promise<string> {
    const { traceId } = await getOperation(this.#database, operationId);
    if (traceId !== undefined) return traceId;
    throw new PodfleetError(
      "TRACE_NOT_FOUND",
      `Cannot find the trace of operation "${operationId}": it was not traced`,
      { details: { operationId } },
    );
  }
}
