import { appRouter } from "@podfleet/api/router";
import { newOperationId } from "@podfleet/model/ids";
import { apiTransformer } from "@podfleet/protocol/api-value";
import { simulatedImage } from "@podfleet/simulator/simulated-records";
import { decodeSpans } from "@podfleet/telemetry/decode-spans";
import { startTelemetry } from "@podfleet/telemetry/telemetry";
import { waitFor } from "@podfleet/testkit/wait-for";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { type Replica, startTestServers, TestFleet, type TestServers } from "../test-fleet.ts";

let servers: TestServers;
beforeAll(async () => {
  servers = await startTestServers();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

const spec = { image: "busybox" };

/** The events of a subscription, as they come. */
async function* subscribe(replica: Replica, path: string, input: object, signal: AbortSignal) {
  const text = encodeURIComponent(JSON.stringify(apiTransformer.serialize(input)));
  const response = await replica.fetch(`/trpc/${path}?input=${text}`, {
    headers: { accept: "text/event-stream" },
    signal,
  });
  const events = response.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  for await (const event of events ?? []) {
    if (event.event === "return") return;
    if (event.event === undefined) {
      yield { id: event.id, data: apiTransformer.deserialize(JSON.parse(event.data)) };
    }
  }
}

/** tRPC keeps them by their full path, which its types do not say. */
const procedures = Object.entries(
  appRouter._def.procedures as unknown as Record<string, { readonly _def: { type: string } }>,
).map(([path, { _def }]) => ({ path, type: _def.type }));

describe("access", () => {
  test("no procedure runs without a known token", async () => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    expect(procedures.length).toBeGreaterThan(15);
    const unknown = `Bearer pf_01234567_${"x".repeat(43)}`;
    for (const authorization of ["", "Basic abc", "Bearer pf_x", unknown]) {
      for (const { path, type } of procedures) {
        const method = type === "mutation" ? "POST" : "GET";
        const headers = { authorization, "content-type": "application/json" };
        const response = await replica.fetch(`/trpc/${path}`, { method, headers });
        // A stream of events has begun before it fails.
        expect(response.status, path).toBe(type === "subscription" ? 200 : 401);
        expect(await response.text(), path).toContain("UNAUTHENTICATED");
      }
      for (const path of ["/images/load", "/v1/traces"]) {
        const response = await replica.fetch(path, { method: "POST", headers: { authorization } });
        expect(response.status, path).toBe(401);
        const body: unknown = await response.json();
        expect(body).toMatchObject({ error: { code: "UNAUTHENTICATED" } });
      }
    }
    const health = await fetch(`${replica.url}/healthz`);
    expect(await health.json()).toMatchObject({
      isHealthy: true,
      postgres: "reachable",
      nats: "connected",
    });
  });

  test("who is calling, and as what", async () => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    expect(await replica.query("system", "info", undefined)).toEqual({
      version: "0.1.0",
      protocolVersion: 1,
      caller: { name: "tester" },
    });
  });
});

describe("failures", () => {
  test.each([
    ["a procedure that does not exist", "/trpc/containers.fly", "GET", 400],
    ["a query sent as POST", "/trpc/hosts.list", "POST", 400],
    ["a route that does not exist", "/nothing", "GET", 404],
  ])("%s", async (_name, path, method, status) => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    const response = await replica.fetch(path, { method });
    expect(response.status).toBe(status);
    expect(await response.text()).toContain("INVALID_INPUT");
  });

  test("a body that is no JSON, a text with NUL, a URL of another kind", async () => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    const response = await replica.fetch("/trpc/containers.create", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{",
    });
    expect(response.status).toBe(400);
    const label = { spec: { ...spec, labels: { note: "a\0b" } } };
    await expect(replica.mutate("containers", "create", label)).rejects.toMatchObject({
      code: "INVALID_INPUT",
    });
  });

  test.each([
    [
      "an unknown image",
      { image: "nginx" },
      "IMAGE_NOT_FOUND",
      'Cannot find image "nginx": it is loaded on none of the hosts host-1',
    ],
    [
      "a constraint that nothing meets",
      { ...spec, placement: { constraints: ["host.labels.disk==ssd"] } },
      "NO_HOST_FITS",
      'Cannot place the container: host-1: host.labels.disk is not set, must be == "ssd"',
    ],
    [
      "more memory than there is",
      { ...spec, resources: { memoryBytes: 2 ** 40 } },
      "NO_HOST_FITS",
      "Cannot place the container: host-1: needs 1099511627776 bytes of memory, 8589934592 of 8589934592 are free",
    ],
    [
      "an unknown host",
      { ...spec, placement: { host: "host-9" } },
      "HOST_NOT_FOUND",
      'Cannot find host "host-9"',
    ],
    [
      "a bad name",
      { ...spec, name: "my web" },
      "INVALID_INPUT",
      'Invalid input: spec.name is "my web", must match [a-zA-Z0-9][a-zA-Z0-9_.-]*',
    ],
  ])("%s", async (_name, wanted, code, message) => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    await expect(replica.mutate("containers", "create", { spec: wanted })).rejects.toMatchObject({
      code,
      message,
    });
  });
});

describe("lists", () => {
  test("filters", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    await fleet.startAgent({ name: "host-2" });
    const create = async (name: string, host: string, labels: Record<string, string>) =>
      await replica.mutate("containers", "create", {
        spec: { ...spec, name, labels, placement: { host } },
      });
    const web = await create("web-1", "host-1", { app: "web", tier: "front" });
    await create("web-2", "host-2", { app: "web" });
    await create("db", "host-2", { app: "db" });
    await replica.mutate("containers", "start", { container: "web-1" });
    const names = async (input: Parameters<typeof replica.query<"containers", "list">>[2]) =>
      (await replica.query("containers", "list", input)).map(({ name }) => name);
    expect(await names({})).toEqual(["web-1"]);
    expect(await names({ all: true })).toEqual(["db", "web-2", "web-1"]);
    expect(await names({ all: true, limit: 1 })).toEqual(["db"]);
    expect(await names({ all: true, filters: { name: ["eb"] } })).toEqual(["web-2", "web-1"]);
    expect(await names({ all: true, filters: { host: ["host-2"] } })).toEqual(["db", "web-2"]);
    expect(await names({ all: true, filters: { host: [agent.hostId] } })).toEqual(["web-1"]);
    expect(await names({ all: true, filters: { label: ["app=web", "tier"] } })).toEqual(["web-1"]);
    expect(await names({ filters: { state: ["configured"] } })).toEqual(["db", "web-2"]);
    const prefix = web.container.id.slice(0, 12);
    expect(await names({ filters: { id: [prefix] } })).toEqual(["web-1"]);
    const operations = await replica.query("operations", "list", { container: prefix });
    expect(operations.map(({ verb }) => verb)).toEqual(["container.start", "container.create"]);
  });

  test("events, by container and from a position", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const other = await fleet.startReplica();
    const abort = new AbortController();
    const watching = subscribe(
      other,
      "events.watch",
      { since: "2026-01-01T00:00:00Z" },
      abort.signal,
    );
    await replica.mutate("containers", "create", { spec: { ...spec, name: "web" } });
    const first = await watching.next();
    expect(first.value?.data).toMatchObject({
      host: { name: "host-1" },
      container: { name: "web" },
    });
    const { container } = await replica.mutate("containers", "start", { container: "web" });
    await watching.next();
    agent.host.exit(container.id, 3);
    await agent.report();
    const third = await watching.next();
    expect(third.value?.data).toMatchObject({ type: "container.died" });
    abort.abort();
    const listed = await replica.query("events", "list", { container: "web" });
    expect(listed.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    const resumed = subscribe(
      replica,
      "events.watch",
      { lastEventId: first.value?.id, types: ["container.died"] },
      AbortSignal.timeout(5_000),
    );
    expect((await resumed.next()).value?.data).toEqual(third.value?.data);
  });
});

describe("waiting", () => {
  test("an exit reaches every waiter, also at a replica that starts later", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    await replica.mutate("containers", "create", { spec: { ...spec, name: "job" } });
    const { container } = await replica.mutate("containers", "start", { container: "job" });
    const waiting = Array.from({ length: 3 }, async () =>
      replica.mutate("containers", "wait", { container: "job" }),
    );
    await waitFor(() => agent.host.waits > 0, { what: "the agent to be asked" });
    agent.host.exit(container.id, 7);
    await agent.report();
    for (const result of await Promise.all(waiting)) {
      expect(result).toMatchObject({ run: 1, exitCode: 7, exitUnknown: false });
    }
    const other = await fleet.startReplica();
    const again = await other.mutate("containers", "wait", { container: "job" });
    expect(again).toMatchObject({ exitCode: 7, container: { state: "exited" } });
  });

  test("the record answers for a host that does not", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    await replica.mutate("containers", "create", { spec: { ...spec, name: "job" } });
    const { container } = await replica.mutate("containers", "start", { container: "job" });
    agent.host.exit(container.id, 7);
    await agent.report();
    await agent.kill();
    expect(await replica.mutate("containers", "wait", { container: "job" })).toMatchObject({
      run: 1,
      exitCode: 7,
    });
  });

  test("a waiter survives the agent's restart, and removal", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    await replica.mutate("containers", "create", { spec: { ...spec, name: "job" } });
    const { container } = await replica.mutate("containers", "start", { container: "job" });
    const waiting = replica.mutate("containers", "wait", { container: "job" });
    const removed = replica.mutate("containers", "wait", {
      container: container.id,
      condition: "removed",
    });
    await waitFor(() => agent.host.waits > 1, { what: "the agent to be asked" });
    await agent.kill();
    await agent.start();
    agent.host.exit(container.id, 5);
    await agent.report();
    expect((await waiting).exitCode).toBe(5);
    await replica.mutate("containers", "remove", { container: "job" });
    expect(await removed).toMatchObject({ run: 1, exitCode: 5 });
  });
});

describe("images", () => {
  async function load(replica: Replica, query: string, body: Uint8Array<ArrayBuffer>) {
    const response = await replica.fetch(`/images/load${query}`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body,
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  test("an archive reaches every host whole, once", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const other = await fleet.startAgent({ name: "host-2" });
    const archive = crypto.getRandomValues(new Uint8Array(60_000));
    const whole = new Uint8Array(archive.length * 40);
    for (let part = 0; part < 40; part += 1) whole.set(archive, part * archive.length);
    const operationId = newOperationId();
    for (const attempt of ["first", "again"]) {
      const result = await load(replica, `?operationId=${operationId}`, whole);
      expect(result, attempt).toMatchObject({
        status: 200,
        body: {
          operationId,
          images: [simulatedImage],
          hosts: [{ name: "host-1" }, { name: "host-2" }],
        },
      });
    }
    for (const { host } of [agent, other]) {
      expect(Buffer.from(host.uploads.get(operationId) ?? []).equals(whole)).toBe(true);
      expect(host.performed).toEqual([operationId]);
    }
    const [operation] = await replica.query("operations", "list", {});
    expect(operation).toMatchObject({ verb: "image.load", status: "succeeded" });
    expect(await replica.query("images", "list", undefined)).toMatchObject([
      { id: simulatedImage.id, hosts: ["host-1", "host-2"] },
    ]);
  });

  test("named hosts, and those that cannot take it", async () => {
    const { fleet, replica, agent } = await TestFleet.start(servers);
    await using _ = fleet;
    const other = await fleet.startAgent({ name: "host-2" });
    await agent.kill();
    const archive = new Uint8Array(10);
    expect(await load(replica, "?host=host-2&host=host-1", archive)).toMatchObject({
      status: 200,
      body: {
        hosts: [{ name: "host-1", error: { code: "HOST_UNREACHABLE" } }, { name: "host-2" }],
      },
    });
    expect(other.host.performed).toHaveLength(1);
    expect(await load(replica, "?host=host-9", archive)).toMatchObject({
      status: 404,
      body: { error: { code: "HOST_NOT_FOUND" } },
    });
    expect(await load(replica, "?operationId=7", archive)).toMatchObject({
      status: 400,
      body: {
        error: {
          message: 'Invalid input: operationId is "7", must be a UUID of version 7',
        },
      },
    });
  });
});

describe("traces", () => {
  test("an operation's trace goes from the caller's span, Docker's too, through Postgres and NATS", async () => {
    const { fleet, replica } = await TestFleet.start(servers);
    await using _ = fleet;
    const exported: ReturnType<typeof decodeSpans> = [];
    const telemetry = startTelemetry({
      serviceName: "podfleet-control-plane",
      serviceVersion: "0",
      instanceId: "test",
      exportSpans: async (otlp) => {
        exported.push(...decodeSpans(otlp, "application/x-protobuf"));
        const body = new Uint8Array(otlp);
        const headers = { "content-type": "application/x-protobuf" };
        const response = await replica.fetch("/v1/traces", { method: "POST", headers, body });
        expect(response.status).toBe(200);
      },
      onError: (error) => {
        throw error;
      },
    });
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const response = await replica.fetch("/trpc/containers.create", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      },
      body: JSON.stringify(apiTransformer.serialize({ spec })),
    });
    expect(response.status).toBe(200);
    const [operation] = await replica.query("operations", "list", {});
    expect(operation?.traceId).toBe(traceId);
    const trace = await waitFor(
      async () => {
        await telemetry.flush();
        const found = await replica.query("traces", "get", { operationId: operation?.id ?? "" });
        const ids = new Set(["b7ad6b7169203331", ...found.spans.map(({ spanId }) => spanId)]);
        return found.spans.every(({ parentSpanId }) => ids.has(parentSpanId ?? "")) && found;
      },
      { what: "every span's parent to be there" },
    );
    expect(trace.traceId).toBe(traceId);
    const root = trace.spans.find(({ name }) => name === "trpc containers.create");
    expect(root).toMatchObject({ parentSpanId: "b7ad6b7169203331", status: "unset" });
    const names = trace.spans.map(({ name }) => name);
    expect(names).toContain("postgresql record_creation");
    expect(names).toContain("request do");
    expect(names).toContain("process do");
    const dockerTraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const started = await replica.fetch(`/containers/${operation?.container?.id}/start`, {
      method: "POST",
      headers: { traceparent: `00-${dockerTraceId}-00f067aa0ba902b7-01` },
    });
    expect(started.status).toBe(204);
    const [last] = await replica.query("operations", "list", { limit: 1 });
    expect(last).toMatchObject({ verb: "container.start", traceId: dockerTraceId });
    const count = exported.length;
    await telemetry.flush();
    expect(exported.filter(({ name }) => name === "postgresql INSERT spans")).toEqual([]);
    expect(exported.length - count).toBeLessThan(20);
    await telemetry.shutdown();
  });
});
