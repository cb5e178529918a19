/** One trace from the caller to each call of the runtime, put together from three processes. */
import { trace } from "@opentelemetry/api";
import type { SpanRecord } from "@podfleet/model/span";
import { startCallerTelemetry } from "@podfleet/telemetry/caller-telemetry";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { type Fleet, startFleet } from "../fleet/fleet.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ hosts: 1 });
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

test("the trace of a start has the caller's call, the lock wait and every runtime call, with their parents", async () => {
  const telemetry = startCallerTelemetry({
    serviceName: "podfleet-test",
    serviceVersion: "0",
    url: fleet.client.url,
    token: fleet.token,
  });
  const { api } = fleet.client;
  const { container } = await api.containers.create.mutate({
    spec: { image: "busybox", command: ["sleep", "600"] },
  });
  const { operationId } = await trace.getTracer("test").startActiveSpan("script", async (span) => {
    try {
      return await api.containers.start.mutate({ container: container.id });
    } finally {
      span.end();
    }
  });
  await telemetry.flush();

  const spans = await waitFor(
    async () => {
      const found = (await api.traces.get.query({ operationId })).spans;
      const names = new Set(found.map(({ name }) => name));
      const isComplete = names.has("script") && names.has("runc start") && isWhole(found);
      return isComplete ? found : undefined;
    },
    { what: "a trace of all processes without missing parents" },
  );
  const path = (name: string): string[] => {
    const span = spans.find((candidate) => candidate.name === name);
    return span ? pathTo(span, spans) : [];
  };
  const throughAgent = [
    "podfleet-test: script",
    "podfleet-test: POST /trpc/containers.start",
    expect.stringMatching(/^podfleet-control-plane: /),
    "podfleet-control-plane: request do",
    "podfleet-agent: process do",
  ];
  for (const name of ["container.lock.wait", "mount overlay", "conmon create", "runc start"]) {
    const names = path(name);
    expect(names.at(-1)).toBe(`podfleet-agent: ${name}`);
    for (const ancestor of throughAgent) expect(names).toContainEqual(ancestor);
  }
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  expect(spans.filter(({ parentSpanId }) => parentSpanId === undefined)).toHaveLength(1);
});

test("podfleet trace shows the start of a podfleet run as one tree", async () => {
  const { api } = fleet.client;
  const run = await fleet.cli(["run", "-d", "--name", "traced", "busybox", "sleep", "600"]);
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  const operations = await api.operations.list.query({ container: "traced" });
  const start = operations.find(({ verb }) => verb === "container.start");
  const lines = await waitFor(
    async () => {
      const { stdout } = await fleet.cli(["trace", start?.id ?? ""]);
      return stdout.includes("…") || !stdout.includes("runc start")
        ? undefined
        : stdout.split("\n");
    },
    { what: "a tree without missing parents", timeoutMs: 20_000 },
  );
  for (const name of ["container.lock.wait", "mount overlay", "conmon create", "runc start"]) {
    const line = lines.find((candidate) => candidate.includes(name));
    expect(line).toContain(`podfleet-agent@${fleet.hosts[0]?.name}`);
    expect(line).toMatch(/^[ │]*[├└]─ /);
  }
});

function isWhole(spans: readonly SpanRecord[]): boolean {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  return spans.every(({ parentSpanId }) => parentSpanId === undefined || ids.has(parentSpanId));
}

/** `service: name` of each span from the root to `span`. */
function pathTo(span: SpanRecord, spans: readonly SpanRecord[]): string[] {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  return [...(parent ? pathTo(parent, spans) : []), `${span.serviceName}: ${span.name}`];
}
