/** Draws a trace as a tree: one line for each span, with its start, duration, service and status. */
import type { SpanRecord } from "@podfleet/model/span";

import { oneLine } from "./output.ts";
import { preciseDuration } from "./quantity.ts";
import { alignColumns } from "./table.ts";

interface Node {
  readonly span: SpanRecord;
  readonly children: Node[];
}

/**
 * @param columns width of the terminal; unbounded when absent
 * @returns lines; a span whose parent is not stored is a root, marked `…`
 */
export function traceTree(spans: readonly SpanRecord[], columns?: number): string[] {
  const roots = rootsOf(spans);
  const beginNano = spans.map((span) => BigInt(span.startTimeUnixNano)).reduce(least, undefined);
  const rows = roots.flatMap((root) => rowsOf(root, { branch: "", stem: "", beginNano }));
  const rest = alignColumns(rows.map(({ facts }) => facts));
  const timed = rows.map(({ facts }) => facts.slice(0, -1));
  const room =
    columns === undefined ? Infinity : columns - widest(alignColumns(timed)) - statusLength;
  const names = rows.map(({ name }) => fitted(name, Math.max(room, nameLengthMin)));
  const width = widest(names);
  return names.map((name, index) => {
    const line = `${name.padEnd(width)}  ${rest[index] ?? ""}`.trimEnd();
    return fitted(line, columns ?? Infinity);
  });
}

/** Shortest width that names are cut to; lines that are still too long are cut at the right. */
const nameLengthMin = 24;

/** Width kept for a span's status and the gaps between columns. */
const statusLength = 24;

/** Longest part of an error's message that is shown. */
const messageLengthMax = 100;

interface Row {
  readonly name: string;
  readonly facts: readonly string[];
}

interface Place {
  /** Drawn before the span's name. */
  readonly branch: string;
  /** Drawn before the names of its children. */
  readonly stem: string;
  readonly beginNano: bigint | undefined;
}

function rowsOf({ span, children }: Node, place: Place): Row[] {
  const orphan = place.branch === "" && span.parentSpanId !== undefined ? "… " : "";
  const rows = children.flatMap((child, index) => {
    const last = index === children.length - 1;
    return rowsOf(child, {
      ...place,
      branch: `${place.stem}${last ? "└─ " : "├─ "}`,
      stem: `${place.stem}${last ? "   " : "│  "}`,
    });
  });
  const name = `${place.branch}${orphan}${oneLine(span.name)}`;
  return [{ name, facts: factsOf(span, place).map(oneLine) }, ...rows];
}

function factsOf(span: SpanRecord, { beginNano }: Place): string[] {
  const startNano = BigInt(span.startTimeUnixNano);
  const offset = `+${preciseDuration(milliseconds(startNano - (beginNano ?? startNano)))}`;
  const took = preciseDuration(milliseconds(BigInt(span.endTimeUnixNano) - startNano));
  const service = span.hostName ? `${span.serviceName}@${span.hostName}` : span.serviceName;
  const message = fitted((span.statusMessage ?? "").split("\n")[0] ?? "", messageLengthMax);
  const status = span.status === "error" ? (message ? `error: ${message}` : "error") : "ok";
  return [offset, took, service, status];
}

/** Finds the spans without a stored parent. Children are in the order of their start. */
function rootsOf(spans: readonly SpanRecord[]): Node[] {
  const inOrder = spans.toSorted((one, other) =>
    Number(BigInt(one.startTimeUnixNano) - BigInt(other.startTimeUnixNano)),
  );
  const nodes = new Map(inOrder.map((span) => [span.spanId, { span, children: [] as Node[] }]));
  const roots: Node[] = [];
  for (const node of nodes.values()) {
    const parent = nodes.get(node.span.parentSpanId ?? "");
    (parent?.children ?? roots).push(node);
  }
  return roots;
}

function least(one: bigint | undefined, other: bigint): bigint {
  return one === undefined || other < one ? other : one;
}

function milliseconds(nano: bigint): number {
  return Number(nano) / 1e6;
}

function fitted(text: string, lengthMax: number): string {
  return text.length > lengthMax ? `${text.slice(0, lengthMax - 1)}…` : text;
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => text.length));
}
