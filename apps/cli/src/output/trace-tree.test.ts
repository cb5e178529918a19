import type { SpanRecord } from "@podfleet/model/span";
import { expect, test } from "vitest";

import { traceTree } from "./trace-tree.ts";

/** Times in ms from an arbitrary origin. */
function span(
  spanId: string,
  [startMs, endMs]: readonly [number, number],
  more: Partial<SpanRecord> = {},
): SpanRecord {
  return {
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    spanId,
    name: spanId,
    serviceName: "cli",
    startTimeUnixNano: String(1_795_000_000_000_000_000n + BigInt(startMs * 1e6)),
    endTimeUnixNano: String(1_795_000_000_000_000_000n + BigInt(endMs * 1e6)),
    status: "unset",
    attributes: {},
    ...more,
  };
}

const agent = { serviceName: "agent", hostName: "host-1" };

const spans = [
  span("lock", [12, 13], { ...agent, parentSpanId: "start" }),
  span("runc start", [14, 30.5], {
    ...agent,
    parentSpanId: "start",
    status: "error",
    statusMessage: "no such file\nat x",
  }),
  span("start", [11, 31], { ...agent, parentSpanId: "run" }),
  span("run", [10, 40]),
  span("wait", [32, 39], { parentSpanId: "run" }),
  span("late", [50, 51], { ...agent, parentSpanId: "lost" }),
];

test("children stand below their parents in the order they began; a lost parent is marked", () => {
  expect(traceTree(spans)).toEqual([
    "run               +0µs   30ms    cli           ok",
    "├─ start          +1ms   20ms    agent@host-1  ok",
    "│  ├─ lock        +2ms   1ms     agent@host-1  ok",
    "│  └─ runc start  +4ms   16.5ms  agent@host-1  error: no such file",
    "└─ wait           +22ms  7ms     cli           ok",
    "… late            +40ms  1ms     agent@host-1  ok",
  ]);
});

test("names, then errors are cut to fit the terminal", () => {
  const failed = { status: "error", statusMessage: "m".repeat(100) } as const;
  const [line = ""] = traceTree([span("a".repeat(100), [0, 1], failed)], 80);
  expect(line).toHaveLength(80);
  expect(line).toMatch(/^a{23,}…  \+0µs  1ms  cli  error: m*…$/);
});

test("an empty trace has no lines", () => {
  expect(traceTree([])).toEqual([]);
});
