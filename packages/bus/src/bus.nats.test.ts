import { connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { trace } from "@opentelemetry/api";
import { PodfleetError } from "@podfleet/model/errors";
import { containerIdSchema, type HostId, newHostId, newOperationId } from "@podfleet/model/ids";
import {
  agentInboxPrefix,
  agentSubject,
  controlPlaneInboxPrefix,
  hostSubject,
} from "@podfleet/protocol/subject";
import { startSpanRecorder } from "@podfleet/testkit/span-recorder";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { AgentClient } from "./agent-client.ts";
import { type AgentHandlers, serveAgents } from "./agent-server.ts";
import { type Bus, type BusEvent, connectBus } from "./connection.ts";
import { hostIdOfCredentials, readCredentials } from "./credentials.ts";
import { HostClient } from "./host-client.ts";
import { type HostHandlers, serveHost } from "./host-server.ts";
import { withRevocation } from "./identity.ts";
import { publishAccount } from "./revocation.ts";
import { startNatsServer, type TestNatsServer } from "./test-nats-server.ts";

let nats: TestNatsServer;
const opened: { close: () => Promise<void> }[] = [];

beforeAll(async () => {
  nats = await startNatsServer();
});

afterEach(async () => {
  for (const connection of opened.splice(0).toReversed()) await connection.close();
});

afterAll(async () => {
  await nats[Symbol.asyncDispose]();
});

async function connectAgent(hostId: HostId, onEvent?: (event: BusEvent) => void): Promise<Bus> {
  const bus = await connectBus({
    servers: nats.url,
    credentials: await nats.agentCredentials(hostId),
    inboxPrefix: agentInboxPrefix(hostId),
    name: "agent",
    ...(onEvent ? { onEvent } : {}),
  });
  opened.push(bus);
  return bus;
}

async function connectControlPlane(onEvent?: (event: BusEvent) => void): Promise<Bus> {
  const bus = await connectBus({
    servers: nats.url,
    credentials: await nats.controlPlaneCredentials(),
    inboxPrefix: controlPlaneInboxPrefix,
    name: "control-plane",
    ...(onEvent ? { onEvent } : {}),
  });
  opened.push(bus);
  return bus;
}

const containerId = containerIdSchema.parse("a".repeat(64));

async function unexpected(): Promise<never> {
  throw new Error("Not part of this test");
}

function hostHandlers(handlers: Partial<HostHandlers>): HostHandlers {
  return {
    do: unexpected,
    ping: async () => ({}),
    loops: unexpected,
    inspect: unexpected,
    wait: unexpected,
    "exec.list": unexpected,
    "exec.inspect": unexpected,
    "exec.wait": unexpected,
    "exec.resize": unexpected,
    "container.resize": unexpected,
    "session.open": unexpected,
    "session.list": unexpected,
    "session.close": unexpected,
    stat: unexpected,
    top: unexpected,
    stats: unexpected,
    "artifact.list": unexpected,
    "journal.locate": unexpected,
    "journal.read": unexpected,
    "operation.settle": unexpected,
    "upload.chunk": unexpected,
    "transfer.open": unexpected,
    "transfer.read": unexpected,
    "transfer.close": unexpected,
    ...handlers,
  };
}

function agentHandlers(handlers: Partial<AgentHandlers>): AgentHandlers {
  return {
    hello: unexpected,
    events: unexpected,
    heartbeat: unexpected,
    spans: unexpected,
    ...handlers,
  };
}

const quick = { timeoutMs: 10_000 };

describe("requests to a host", () => {
  test("reach the handler as parsed and come back as parsed", async () => {
    const hostId = newHostId();
    const operationId = newOperationId();
    await serveHost(
      await connectAgent(hostId),
      hostId,
      hostHandlers({
        "operation.settle": async (request) => {
          expect(request).toEqual({ operationId });
          return { state: "running" };
        },
      }),
    );
    const client = new HostClient(await connectControlPlane());
    const reply = await client.request(hostId, "operation.settle", {
      payload: { operationId },
      ...quick,
    });
    expect(reply).toEqual({ state: "running" });
  });

  test("without an agent fail at once as not delivered", async () => {
    const client = new HostClient(await connectControlPlane());
    const hostId = newHostId();
    await expect(
      client.request(hostId, "ping", { payload: {}, timeoutMs: 60_000 }),
    ).rejects.toMatchObject({
      code: "HOST_UNREACHABLE",
      details: { hostId, delivered: false },
    });
  });

  test("without an answer in time fail as perhaps delivered", async () => {
    const hostId = newHostId();
    const ping = async (_request: object, signal: AbortSignal): Promise<Record<string, never>> =>
      await new Promise((resolve) => signal.addEventListener("abort", () => resolve({})));
    const server = await serveHost(await connectAgent(hostId), hostId, hostHandlers({ ping }));
    const client = new HostClient(await connectControlPlane());
    await expect(
      client.request(hostId, "ping", { payload: {}, timeoutMs: 50 }),
    ).rejects.toMatchObject({
      code: "HOST_UNREACHABLE",
      details: { hostId, delivered: "unknown" },
    });
    const aborting = new AbortController();
    const given = client.request(hostId, "ping", {
      payload: {},
      ...quick,
      signal: aborting.signal,
    });
    aborting.abort();
    await expect(given).rejects.toMatchObject({ code: "CANCELLED" });
    await server.stop();
  });

  test("carry the handler's errors, with their details", async () => {
    const hostId = newHostId();
    const refused = new PodfleetError("STATE_INVALID", 'Cannot start container "ü"', {
      details: { state: "running" },
    });
    const fail = async (): Promise<never> => {
      throw refused;
    };
    const defects: BusEvent[] = [];
    const agent = await connectAgent(hostId, (event) => defects.push(event));
    await serveHost(agent, hostId, hostHandlers({ inspect: fail, "journal.read": fail }));
    const client = new HostClient(await connectControlPlane());
    const expected = { code: refused.code, message: refused.message, details: refused.details };
    const inspect = client.request(hostId, "inspect", { payload: { containerId }, ...quick });
    await expect(inspect).rejects.toMatchObject(expected);
    const read = { containerId, offset: 0, bytesMax: 16_384, waitMs: 0 };
    await expect(client.readJournal(hostId, read, quick)).rejects.toMatchObject(expected);
    expect(defects).toEqual([]);
    const defect = client.request(hostId, "journal.locate", { payload: { containerId }, ...quick });
    await expect(defect).rejects.toMatchObject({ code: "INTERNAL" });
    expect(defects).toMatchObject([{ type: "error", error: { code: "INTERNAL" } }]);
  });

  test("of a wrong shape are refused by the agent, naming the field", async () => {
    const hostId = newHostId();
    await serveHost(await connectAgent(hostId), hostId, hostHandlers({}));
    const client = new HostClient(await connectControlPlane());
    const request = client.request(hostId, "inspect", {
      payload: { containerId: "short" },
      ...quick,
    });
    await expect(request).rejects.toMatchObject({
      code: "INVALID_INPUT",
      message: 'Cannot read the request "inspect": containerId: must be 64 lower-case hex digits',
    });
  });

  test("take binary payloads of half a MiB both ways, byte for byte", async () => {
    const hostId = newHostId();
    const bytes = Uint8Array.from({ length: 512 * 1024 }, (_, index) => index % 251);
    const uploadId = newOperationId();
    const chunks: unknown[] = [];
    await serveHost(
      await connectAgent(hostId),
      hostId,
      hostHandlers({
        "journal.read": async () => ({ bytes, offset: 70, next: 77, ended: false }),
        "upload.chunk": async (chunk) => {
          chunks.push(chunk);
          return { length: chunk.offset + chunk.bytes.length };
        },
      }),
    );
    const client = new HostClient(await connectControlPlane());
    const read = { containerId, offset: 0, bytesMax: 524_288, waitMs: 0 };
    const chunk = await client.readJournal(hostId, read, quick);
    expect(chunk).toMatchObject({ offset: 70, next: 77, ended: false });
    expect(Buffer.compare(chunk.bytes, bytes)).toBe(0);
    const sent = await client.sendUploadChunk(hostId, { uploadId, offset: 9, bytes }, quick);
    expect(sent).toEqual({ length: 9 + bytes.length });
    expect(chunks).toEqual([{ uploadId, offset: 9, bytes }]);
  });

  test("larger than the server takes are refused before they are sent", async () => {
    const hostId = newHostId();
    const bytes = new Uint8Array(2 * 1024 * 1024);
    const client = new HostClient(await connectControlPlane());
    const chunk = { uploadId: newOperationId(), offset: 0, bytes };
    await expect(client.sendUploadChunk(hostId, chunk, quick)).rejects.toMatchObject({
      code: "INVALID_INPUT",
      details: { delivered: false },
    });
  });
});

describe("messages of an agent", () => {
  test("are shared by the replicas and carry the host of their subject", async () => {
    const hostId = newHostId();
    const seen: unknown[] = [];
    const handlers = (replica: string): AgentHandlers =>
      agentHandlers({
        events: async (from, { events }) => {
          seen.push(from);
          return { committedSeq: events.length };
        },
        heartbeat: async (from, heartbeat) => {
          seen.push({ from, heartbeat });
        },
        spans: async (from, otlp) => {
          seen.push({ from, otlp: [...otlp] });
          if (replica === "") throw new Error("unused");
        },
      });
    await serveAgents(await connectControlPlane(), handlers("a"));
    await serveAgents(await connectControlPlane(), handlers("b"));
    const agent = new AgentClient(await connectAgent(hostId), hostId);
    const event = { seq: 1, type: "image.load", time: new Date().toISOString() } as const;
    expect(await agent.sendEvents({ events: [event] }, quick)).toEqual({ committedSeq: 1 });
    await agent.sendSpans(new Uint8Array([1, 2]), quick);
    const heartbeat = { containers: { running: 2 }, seq: 1 };
    agent.heartbeat(heartbeat);
    await waitFor(() => seen.length === 3, { what: "the heartbeat" });
    expect(seen).toEqual([hostId, { from: hostId, otlp: [1, 2] }, { from: hostId, heartbeat }]);
  });

  test("fail as not delivered while no control plane is there", async () => {
    const hostId = newHostId();
    const agent = new AgentClient(await connectAgent(hostId), hostId);
    await expect(agent.sendSpans(new Uint8Array([1]), quick)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      details: { delivered: false },
    });
  });
});

describe("permissions", () => {
  const own = newHostId();
  const other = newHostId();

  async function rawAgent(): Promise<{ connection: NatsConnection; denied: string[] }> {
    const credentials = new TextEncoder().encode(await nats.agentCredentials(own));
    const connection = await connect({
      servers: nats.url,
      authenticator: credsAuthenticator(credentials),
      inboxPrefix: agentInboxPrefix(own),
    });
    opened.push(connection);
    const denied: string[] = [];
    const watch = async (): Promise<void> => {
      for await (const status of connection.status()) {
        if (status.type === "error") denied.push(status.error.message);
      }
    };
    void watch();
    return { connection, denied };
  }

  test.each([
    ["another host's events", agentSubject(other, "events")],
    ["requests to itself", hostSubject(own, "do")],
    ["requests to another host", hostSubject(other, "do")],
    ["the control plane's replies", `${controlPlaneInboxPrefix}.x`],
    ["the system account", "$SYS.REQ.CLAIMS.UPDATE"],
  ])("an agent cannot publish %s", async (_name, subject) => {
    const { connection, denied } = await rawAgent();
    connection.publish(subject, "x");
    await waitFor(() => denied.length > 0, { what: "the refusal" });
    expect(denied[0]).toContain("Permissions Violation for Publish");
  });

  test.each([
    ["another host's requests", hostSubject(other, "do")],
    ["every host's requests", "pf.v1.host.>"],
    ["agents' events", agentSubject(own, "events")],
    ["the control plane's replies", `${controlPlaneInboxPrefix}.>`],
    ["everything", ">"],
  ])("an agent cannot subscribe to %s", async (_name, subject) => {
    const { connection, denied } = await rawAgent();
    connection.subscribe(subject, { callback: () => undefined });
    await waitFor(() => denied.length > 0, { what: "the refusal" });
    expect(denied[0]).toContain("Permissions Violation for Subscription");
  });

  test("the control plane cannot speak for an agent", async () => {
    const events: BusEvent[] = [];
    const bus = await connectControlPlane((event) => events.push(event));
    new AgentClient(bus, own).heartbeat({ containers: {}, seq: 0 });
    const [denied] = await waitFor(() => events.length > 0 && events, { what: "the refusal" });
    const subject = agentSubject(own, "heartbeat");
    expect(denied).toMatchObject({ type: "permission-denied", operation: "publish", subject });
  });

  test("credentials tell their host, and only an agent's do", async () => {
    expect(await hostIdOfCredentials(await nats.agentCredentials(own))).toBe(own);
    for (const text of [await nats.controlPlaneCredentials(), "no credentials"]) {
      await expect(hostIdOfCredentials(text)).rejects.toMatchObject({ code: "INVALID_INPUT" });
    }
  });
});

test("a message makes a span at each end, in the trace of its sender, and none without one", async () => {
  const recorder = startSpanRecorder();
  const hostId = newHostId();
  const controlPlane = await connectControlPlane();
  const events = async (): Promise<{ committedSeq: number }> => ({ committedSeq: 1 });
  await serveAgents(controlPlane, agentHandlers({ events }));
  const agent = await connectAgent(hostId);
  const work = async (): Promise<Record<string, never>> => {
    trace.getTracer("test").startSpan("work").end();
    return {};
  };
  await serveHost(agent, hostId, hostHandlers({ ping: work }));
  const event = { seq: 1, type: "image.load", time: new Date().toISOString() } as const;
  await trace.getTracer("test").startActiveSpan("caller", async (span) => {
    await new HostClient(controlPlane).request(hostId, "ping", { payload: {}, ...quick });
    await new AgentClient(agent, hostId).sendEvents({ events: [event] }, quick);
    span.end();
  });
  await new AgentClient(agent, hostId).sendEvents({ events: [event] }, quick);
  const recorded = await recorder.take();
  const nameOf = (id: string | undefined): string =>
    recorded.find(({ spanId }) => spanId === id)?.name ?? "none";
  const edges = recorded.map(({ name, parentSpanId }) => `${nameOf(parentSpanId)} > ${name}`);
  expect(edges).toHaveLength(6);
  expect(new Set(edges)).toEqual(
    new Set([
      "none > caller",
      "caller > request ping",
      "request ping > process ping",
      "process ping > work",
      "caller > request events",
      "request events > process events",
    ]),
  );
  expect(new Set(recorded.map(({ traceId }) => traceId)).size).toBe(1);
});

test("links outlive the server's crash and serve again after it", async () => {
  const hostId = newHostId();
  const events: BusEvent[] = [];
  const wait = async (): Promise<never> => await new Promise(() => undefined);
  const agent = await connectAgent(hostId);
  await serveHost(agent, hostId, hostHandlers({ wait }));
  const controlPlane = await connectControlPlane((event) => events.push(event));
  const client = new HostClient(controlPlane);
  const poll = { containerId, condition: "exit", timeoutMs: 30_000 } as const;
  const pending = client.request(hostId, "wait", { payload: poll, timeoutMs: 40_000 });
  const lost = pending.catch((error: unknown) => error);
  await client.request(hostId, "ping", { payload: {}, ...quick });
  await nats.kill();
  expect(await lost).toMatchObject({ code: "UNAVAILABLE", details: { delivered: "unknown" } });
  await waitFor(() => !controlPlane.connected, { what: "the loss to be noticed" });
  await expect(client.request(hostId, "ping", { payload: {}, ...quick })).rejects.toMatchObject({
    code: "UNAVAILABLE",
    details: { delivered: false },
  });
  await nats.restart();
  await waitFor(async () => await client.request(hostId, "ping", { payload: {}, ...quick }), {
    what: "the host to answer again",
  });
  const ofControl = events.filter(({ link }) => link === "control").map(({ type }) => type);
  expect(ofControl).toEqual(["disconnected", "reconnected"]);
});

test("a host that begins to serve while the server is away is there when it is back", async () => {
  const hostId = newHostId();
  const agent = await connectAgent(hostId);
  const controlPlane = await connectControlPlane();
  await nats.kill();
  const serving = serveHost(agent, hostId, hostHandlers({}));
  const flushed = controlPlane.bulk.flush().catch((error: unknown) => error);
  expect(await flushed).toMatchObject({ code: "UNAVAILABLE" });
  await nats.restart();
  await serving;
  const client = new HostClient(controlPlane);
  await waitFor(async () => await client.request(hostId, "ping", { payload: {}, ...quick }), {
    what: "the host to answer",
  });
});

test("a link closes while the server is away", async () => {
  const bus = await connectControlPlane();
  await nats.kill();
  await waitFor(() => !bus.connected, { what: "the loss to be noticed" });
  await bus.close();
  expect(bus.connected).toBe(false);
  await nats.restart();
});

test("a request that is open when its link is closed fails as perhaps delivered, a later one as not", async () => {
  const hostId = newHostId();
  const never = Promise.withResolvers<never>();
  const agent = await connectAgent(hostId);
  await serveHost(agent, hostId, hostHandlers({ ping: async () => await never.promise }));
  const bus = await connectControlPlane();
  const client = new HostClient(bus);
  const request = async () => await client.request(hostId, "ping", { payload: {}, ...quick });
  const open = request();
  await Promise.all([
    expect(open).rejects.toMatchObject({ code: "UNAVAILABLE", details: { delivered: "unknown" } }),
    bus.close(),
  ]);
  await expect(request()).rejects.toMatchObject({
    code: "UNAVAILABLE",
    details: { delivered: false },
  });
});

test("connecting gives up at its deadline with the reason", async () => {
  const connecting = connectBus({
    servers: "127.0.0.1:1",
    credentials: await nats.controlPlaneCredentials(),
    inboxPrefix: controlPlaneInboxPrefix,
    name: "nobody",
    connectTimeoutMs: 200,
  });
  await expect(connecting).rejects.toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringContaining('Cannot connect to NATS at "127.0.0.1:1"'),
  });
});

test("a revoked agent is cut off and stays out; new credentials for its host work", async () => {
  const hostId = newHostId();
  const credentials = await nats.agentCredentials(hostId);
  const options = { servers: nats.url, inboxPrefix: agentInboxPrefix(hostId), name: "agent" };
  const revoked = await connectBus({ ...options, credentials });
  opened.push(revoked);
  const { userPublicKey } = await readCredentials(credentials);
  const identity = await withRevocation(nats.identity, userPublicKey, new Date());
  await publishAccount(identity, nats.url);
  await waitFor(() => !revoked.connected, { what: "the agent to be cut off" });
  await expect(connectBus({ ...options, credentials, connectTimeoutMs: 300 })).rejects.toThrow(
    /Authorization|authorization/,
  );
  const renewed = await connectAgent(hostId);
  expect(renewed.connected).toBe(true);
});
