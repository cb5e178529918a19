/**
 * A pg pool that makes a span for each query. OpenTelemetry's instrumentation of pg would not work: it patches modules, which a bundle
 * does not have. A query outside any span makes none: background work would otherwise fill the store of spans with its own inserts.
 *
 * A query with parameters is prepared once per connection: parsing and planning take Postgres longer than running it.
 */
import { type Attributes, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { Client, Pool, type PoolConfig } from "pg";

const tracer = trace.getTracer("podfleet.db");

export function createTracedPool(config: PoolConfig): Pool {
  return new TracedPool({ ...config, Client: TracedClient });
}

type ClientQuery = (query: unknown, values: unknown, callback: unknown) => unknown;

class TracedClient extends Client {
  // `never` satisfies each of pg's overloads; the value is the one that pg returns.
  override query(query: unknown, values?: unknown, callback?: unknown): never {
    const send: ClientQuery = super.query.bind(this);
    const text = textOf(query);
    if (text === undefined || typeof values === "function" || callback !== undefined) {
      return send(query, values, callback) as never;
    }
    const named = Array.isArray(values) && values.length > 0 ? prepared(query, text) : query;
    if (!trace.getActiveSpan()) return send(named, values, undefined) as never;
    return inQuerySpan(text, () => send(named, values, undefined)) as never;
  }
}

/** Names of prepared statements by their text, the same on every connection. */
const statementNames = new Map<string, string>();
/** Bound of prepared statements, which cost memory on every connection. Further texts, those of long lists, run unprepared. */
const statementsMax = 200;

function prepared(query: unknown, text: string): unknown {
  if (!statementNames.has(text)) {
    if (statementNames.size === statementsMax) return query;
    statementNames.set(text, `podfleet_${statementNames.size}`);
  }
  const config = typeof query === "object" ? query : { text };
  return { ...config, name: statementNames.get(text) };
}

class TracedPool extends Pool {
  /** Waits for a client in the caller's own async context; pg would run a queued query in the context of the client's last user. */
  override query(query: unknown, values?: unknown): never {
    return this.#query(query, values) as never;
  }

  async #query(query: unknown, values: unknown): Promise<unknown> {
    const client = await this.connect();
    const send = client.query.bind(client) as (query: unknown, values: unknown) => unknown;
    try {
      return await send(query, values);
    } finally {
      client.release();
    }
  }
}

function textOf(query: unknown): string | undefined {
  if (typeof query === "string") return query;
  const isConfig = typeof query === "object" && query !== null && "text" in query;
  return isConfig && typeof query.text === "string" ? query.text : undefined;
}

async function inQuerySpan(text: string, send: () => unknown): Promise<unknown> {
  const summary = summaryOf(text);
  const options = { kind: SpanKind.CLIENT, attributes: attributesOf(text, summary) };
  return await tracer.startActiveSpan(`postgresql ${summary.join(" ")}`, options, async (span) => {
    try {
      return await send();
    } catch (error) {
      const state = error instanceof Error && "code" in error ? String(error.code) : "unknown";
      span.setAttribute("db.response.status_code", state);
      span.setStatus({
        code: SpanStatusCode.ERROR,
        message: error instanceof Error ? error.message : String(error),
      });
      throw error;
    } finally {
      span.end();
    }
  });
}

/**
 * The operation and, if there is one, the first table: `["SELECT", "containers"]`. A statement that does several things begins with a
 * comment that names it, `/* record_report *\/`, and is summarised by that name.
 */
function summaryOf(text: string): string[] {
  const name = /^\s*\/\* (\w+) \*\//.exec(text)?.[1];
  if (name !== undefined) return [name];
  const operation = /^\W*(\w+)/.exec(text)?.[1]?.toUpperCase() ?? "QUERY";
  const table = /\b(?:from|into|update)\s+"?([a-z_]+)"?/i.exec(text)?.[1];
  return table === undefined ? [operation] : [operation, table];
}

const queryTextMax = 1_000;

function attributesOf(text: string, [operation = "", table]: readonly string[]): Attributes {
  return {
    "db.system.name": "postgresql",
    "db.operation.name": operation,
    ...(table === undefined ? {} : { "db.collection.name": table }),
    "db.query.text": text.slice(0, queryTextMax),
  };
}
