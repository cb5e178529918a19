import { once } from "node:events";
import { get } from "node:http";
import { setImmediate } from "node:timers/promises";

import { createClient } from "@podfleet/client/client";
import { PodfleetError } from "@podfleet/model/errors";
import { newContainerId, newSessionId } from "@podfleet/model/ids";
import { decodeFrame, encodeFrame } from "@podfleet/protocol/stream/frame";
import { streamSubprotocol } from "@podfleet/protocol/stream/open";
import { startSpanRecorder } from "@podfleet/testkit/span-recorder";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { createApiToken } from "../services/api-tokens.ts";
import { type Replica, startTestServers, TestFleet, type TestServers } from "../test-fleet.ts";
import { type StreamClientOptions, TestStreamClient } from "./test-stream-client.ts";

const recorder = startSpanRecorder();
let servers: TestServers;

beforeAll(async () => {
  servers = await startTestServers();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});
afterEach(() => {
  vi.useRealTimers();
});

async function startFleet() {
  const { fleet, replica, agent } = await TestFleet.start(servers);
  const created = await replica.mutate("containers", "create", { spec: { image: "busybox" } });
  return { fleet, replica, agent, container: created.container };
}

async function connect(replica: Replica, options: StreamClientOptions): Promise<TestStreamClient> {
  const client = await TestStreamClient.connect(replica, options);
  if (client instanceof TestStreamClient) return client;
  throw new Error(`The upgrade was refused: ${client.status} ${client.body}`);
}

/** Opens a session and returns its client. */
async function connectOpened() {
  const parts = await startFleet();
  const client = await connect(parts.replica, parts.fleet);
  client.open(parts.container.id);
  expect(await client.next()).toMatchObject({ type: "opened" });
  const connectionId = parts.agent.sessions.openings[0]?.connectionId;
  if (connectionId === undefined) throw new Error("The agent was asked to open no session");
  const received = () => parts.agent.sessions.received.get(connectionId) ?? [];
  return { ...parts, client, received };
}

/** Waits while fake timers are installed; the test's time limit is the bound. */
async function turnsUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

const lost = [Buffer.from(encodeFrame({ type: "lost" }))];

describe("before the upgrade", () => {
  test.each<[string, Partial<StreamClientOptions>, number, string]>([
    ["no token", { token: "" }, 401, "UNAUTHENTICATED"],
    ["an unknown token", { token: `pf_01234567_${"x".repeat(43)}` }, 401, "UNAUTHENTICATED"],
    ["no subprotocol", { subprotocols: [] }, 400, "INVALID_INPUT"],
    ["another subprotocol", { subprotocols: ["podfleet.stream.v0"] }, 400, "INVALID_INPUT"],
    ["another path", { path: "/sessions/streams" }, 404, "INVALID_INPUT"],
  ])("%s is a plain HTTP error", async (_what, options, status, code) => {
    const { fleet, replica } = await startFleet();
    await using _ = fleet;
    const refused = await TestStreamClient.connect(replica, { token: fleet.token, ...options });
    if (refused instanceof TestStreamClient) throw new Error("The upgrade was not refused");
    expect(refused.status).toBe(status);
    expect(JSON.parse(refused.body)).toMatchObject({ error: { code } });
  });

  test("a request that asks for no upgrade, or for another, is answered as any other", async () => {
    const { fleet, replica } = await startFleet();
    await using _ = fleet;
    const plain = await replica.fetch("/sessions/stream");
    expect(plain.status).toBe(400);
    expect(await plain.text()).toContain('it must ask for an upgrade to \\"websocket\\"');
    const headers = { connection: "upgrade", upgrade: "h2c" };
    const [response] = await once(get(`${replica.url}/healthz`, { headers }), "response");
    expect(response).toMatchObject({ statusCode: 200 });
  });

  test("the token may be a subprotocol; a replica that ends does not wait for such a client", async () => {
    const { fleet, replica } = await startFleet();
    await using _ = fleet;
    const subprotocols = [streamSubprotocol, `podfleet.token.${fleet.token}`];
    const client = await connect(replica, { token: "", subprotocols });
    expect(client.webSocket.protocol).toBe(streamSubprotocol);
    await replica[Symbol.asyncDispose]();
    expect(await client.next()).toMatchObject({ type: "error", error: { code: "UNAVAILABLE" } });
  });
});

describe("opening", () => {
  test("the caller, the host and the container are found; its span continues the client's", async () => {
    const { fleet, replica, agent, container } = await startFleet();
    await using _ = fleet;
    const client = await connect(replica, fleet);
    const session = newSessionId();
    await recorder.take();
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    client.open(container.name, { session, offset: 7, resume: false, traceparent });
    expect(await client.next()).toMatchObject({
      type: "opened",
      opened: {
        session: { id: session, caller: "tester" },
        offset: 7,
        container: { id: container.id, name: container.name },
        host: { id: agent.hostId, name: "host-1" },
      },
    });
    expect(agent.sessions.openings).toMatchObject([
      { sessionId: session, containerId: container.id, caller: "tester", offset: 7 },
    ]);
    const spans = await recorder.take();
    const span = spans.find(({ name }) => name === "session open");
    expect(span).toMatchObject({ traceId: "a".repeat(32), parentSpanId: "b".repeat(16) });
    expect(spans.find(({ name }) => name === "request session.open")).toMatchObject({
      parentSpanId: span?.spanId,
    });
  });

  test("what the agent sends before its answer arrives comes after it", async () => {
    const { fleet, replica, agent, container } = await startFleet();
    await using _ = fleet;
    const client = await connect(replica, fleet);
    agent.sessions.beforeReply = () => {
      agent.sessions.send(Uint8Array.of(0x10, 1));
      agent.sessions.send(Uint8Array.of(0x10, 2));
    };
    client.open(container.id);
    expect(await client.next()).toMatchObject({ type: "opened" });
    expect([...(await client.nextBytes())]).toEqual([0x10, 1]);
    expect([...(await client.nextBytes())]).toEqual([0x10, 2]);
  });

  test.each([
    ["text", "open", "INVALID_INPUT"],
    ["no frame", Uint8Array.of(0xff, 1, 2), "INVALID_INPUT"],
    ["nothing", new Uint8Array(0), "INVALID_INPUT"],
    ["another frame", encodeFrame({ type: "detach" }), "INVALID_INPUT"],
    ["an open frame that is no JSON", Uint8Array.of(0x01, 0x7b), "INVALID_INPUT"],
  ])("%s as the first frame ends it", async (_what, bytes, code) => {
    const { fleet, replica, agent } = await startFleet();
    await using _ = fleet;
    const client = await connect(replica, fleet);
    client.send(bytes);
    expect(await client.next()).toMatchObject({ type: "error", error: { code } });
    await client.closed;
    expect(agent.sessions.openings).toEqual([]);
  });

  test("a frame that is too long closes the connection", async () => {
    const { fleet, replica } = await startFleet();
    await using _ = fleet;
    const client = await connect(replica, fleet);
    client.send(new Uint8Array(70_000));
    expect(await client.closed).toBe(1009);
  });

  test("a frame before the session is open ends it", async () => {
    const { fleet, replica, agent, container } = await startFleet();
    await using _ = fleet;
    const client = await connect(replica, fleet);
    const held = Promise.withResolvers<void>();
    agent.sessions.beforeReply = async () => await held.promise;
    client.open(container.id);
    client.send({ type: "detach" });
    expect(await client.next()).toMatchObject({ type: "error", error: { code: "INVALID_INPUT" } });
    held.resolve();
    await client.closed;
  });

  test("nothing within ten seconds ends it", async () => {
    const { fleet, replica } = await startFleet();
    await using _ = fleet;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const client = await connect(replica, fleet);
    await turnsUntil(() => {
      vi.advanceTimersByTime(10_001);
      return client.webSocket.readyState !== client.webSocket.OPEN;
    });
    vi.useRealTimers();
    expect(await client.next()).toMatchObject({ type: "error", error: { code: "TIMEOUT" } });
  });

  test("an unknown container, another caller's session, a host that is not there", async () => {
    const { fleet, replica, agent, container } = await startFleet();
    await using _ = fleet;
    const unknown = await connect(replica, fleet);
    unknown.open("nobody");
    const notFound = { type: "error", error: { code: "CONTAINER_NOT_FOUND" } };
    expect(await unknown.next()).toMatchObject(notFound);

    agent.sessions.beforeReply = () => {
      throw new PodfleetError("FORBIDDEN", "It was opened by another caller");
    };
    const stranger = { token: await createApiToken(fleet.database, "stranger") };
    const other = await connect(replica, stranger);
    other.open(container.id);
    expect(await other.next()).toMatchObject({ type: "error", error: { code: "FORBIDDEN" } });
    expect(agent.sessions.openings.at(-1)).toMatchObject({ caller: "stranger" });

    await agent.kill();
    const gone = { type: "error", error: { code: "HOST_UNREACHABLE" } };
    for (const reference of [container.id, newContainerId()]) {
      const cutOff = await connect(replica, fleet);
      cutOff.open(reference);
      expect(await cutOff.next()).toMatchObject(reference === container.id ? gone : notFound);
    }
  });
});

describe("once open", () => {
  test("frames go both ways as they are, whatever they hold", async () => {
    const { fleet, client, agent, received } = await connectOpened();
    await using _ = fleet;
    const frames = [
      [0x20, 1],
      [],
      [0xee, 9, 9],
      Array.from({ length: 30_000 }, (_v, i) => i % 256),
    ];
    for (const frame of frames) client.send(Uint8Array.from(frame));
    await waitFor(() => received().length === frames.length, { what: "the client's frames" });
    expect(received().map((frame) => [...frame])).toEqual(frames);
    for (const frame of frames) agent.sessions.send(Uint8Array.from(frame));
    for (const frame of frames) expect([...(await client.nextBytes())]).toEqual(frame);
  });

  test("text, and a frame that is too long, end it; the agent is told", async () => {
    for (const wrong of ["text", new Uint8Array(70_000)]) {
      const { fleet, client, received } = await connectOpened();
      await using _ = fleet;
      client.send(wrong);
      await client.closed;
      await waitFor(() => received().length > 0, { what: "the agent to be told" });
      expect(received()).toEqual(lost);
    }
  });

  test("H4: the client vanishes: the agent is told", async () => {
    const { fleet, client, received } = await connectOpened();
    await using _ = fleet;
    client.webSocket.terminate();
    await waitFor(() => received().length > 0, { what: "the agent to be told" });
    expect(received()).toEqual(lost);
  });

  test("a client that is silent is given up", async () => {
    const { fleet, replica, agent, container } = await startFleet();
    await using _ = fleet;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const client = await connect(replica, fleet);
    client.open(container.id);
    await client.next();
    vi.advanceTimersByTime(10_000);
    client.send({ type: "credit", offset: 0, window: 1 });
    await turnsUntil(() => agent.sessions.received.size > 0);
    vi.advanceTimersByTime(10_000);
    expect(client.webSocket.readyState).toBe(client.webSocket.OPEN);
    vi.advanceTimersByTime(5_001);
    expect(await client.closed).toBe(1006);
  });

  test("the agent's error is the last frame", async () => {
    const { fleet, client, agent } = await connectOpened();
    await using _ = fleet;
    const error = { code: "SESSION_ENDED", message: "Someone closed it" } as const;
    agent.sessions.send({ type: "error", error });
    expect(await client.next()).toEqual({ type: "error", error });
    await client.closed;
  });

  test("an agent that was started anew: the client is to open the session again", async () => {
    const { fleet, client, agent } = await connectOpened();
    await using _ = fleet;
    await agent.kill();
    await agent.start();
    expect(await client.next()).toMatchObject({ type: "error", error: { code: "UNAVAILABLE" } });
  });

  test("an agent that falls silent: its host is unreachable", async () => {
    const { fleet, client, agent } = await connectOpened();
    await using _ = fleet;
    agent.silence();
    const gone = { type: "error", error: { code: "HOST_UNREACHABLE" } };
    expect(await client.next()).toMatchObject(gone);
  });

  test("NATS is killed: the client is told at once", async () => {
    const own = await startTestServers();
    const parts = await TestFleet.create(own);
    const replica = await parts.startReplica();
    await parts.startAgent({ name: "host-1" });
    const spec = { image: "busybox" };
    const { container } = await replica.mutate("containers", "create", { spec });
    const client = await connect(replica, parts);
    client.open(container.id);
    await client.next();
    await own.nats.kill();
    expect(await client.next()).toMatchObject({ type: "error", error: { code: "UNAVAILABLE" } });
    await own.nats.restart();
    await parts[Symbol.asyncDispose]();
    await own[Symbol.asyncDispose]();
  });
});

describe("replicas", () => {
  test("a session goes on through another one when its own ends", async () => {
    const { fleet, replica, agent, container } = await startFleet();
    await using _ = fleet;
    const other = await fleet.startReplica();
    const client = await connect(replica, fleet);
    const session = newSessionId();
    client.open(container.id, { session });
    await client.next();
    await replica[Symbol.asyncDispose]();
    const failure = { code: "UNAVAILABLE", message: expect.stringContaining("about to end") };
    expect(await client.next()).toMatchObject({ type: "error", error: failure });
    await client.closed;

    const through = createClient({ url: other.url, token: fleet.token });
    const request = { container: container.id, session, resume: true, offset: 0 };
    const resumed = await through.openSession({ ...request, spec: { input: "shared" } });
    expect(agent.sessions.openings).toMatchObject([{ resume: false }, { resume: true }]);
    const bytes = Buffer.from("on");
    agent.sessions.send({ type: "output", offset: 0, next: 50, stream: "stdout", bytes });
    const { value } = await resumed.output.getReader().read();
    expect(value).toMatchObject({ offset: 0, next: 50 });
    await resumed.detach();
    const { connectionId } = agent.sessions.openings[1] ?? {};
    await waitFor(
      () => {
        const frames = connectionId ? agent.sessions.received.get(connectionId) : [];
        return frames?.map((frame) => decodeFrame(frame).type).includes("detach");
      },
      { what: "the agent to be told" },
    );
  });
});

describe("calls", () => {
  test("sessions of all hosts, of a container, one; hosts that do not answer are named", async () => {
    const { fleet, replica, agent, container } = await startFleet();
    await using _ = fleet;
    const silent = await fleet.startAgent({ name: "host-2" });
    const ids = [newSessionId(), newSessionId()];
    for (const session of ids) {
      const client = await connect(replica, fleet);
      client.open(container.id, { session });
      await client.next();
    }
    await silent.kill();
    const listed = await replica.query("sessions", "list", {});
    expect(listed.sessions.map(({ id }) => id)).toEqual(ids);
    expect(listed.sessions[0]).toMatchObject({
      containerId: container.id,
      containerName: container.name,
      host: { id: agent.hostId, name: "host-1" },
    });
    expect(listed.silentHosts).toEqual([{ id: silent.hostId, name: "host-2" }]);
    const ofContainer = await replica.query("sessions", "list", { container: container.name });
    expect(ofContainer.sessions).toHaveLength(2);
    expect(ofContainer.silentHosts).toEqual([]);

    const [session = newSessionId()] = ids;
    const closed = await replica.mutate("sessions", "close", { session });
    expect(closed).toMatchObject({ id: session, end: "closed" });
    expect((await replica.query("sessions", "list", {})).sessions).toHaveLength(1);
    expect((await replica.query("sessions", "list", { session, all: true })).sessions).toHaveLength(
      1,
    );

    const unknown = newSessionId();
    await expect(replica.mutate("sessions", "close", { session: unknown })).rejects.toMatchObject({
      code: "SESSION_NOT_FOUND",
      message: `Cannot find session "${unknown}": no host that answers has it; the hosts "host-2" do not answer`,
    });
  });

  test("a terminal's size is set, within its bounds", async () => {
    const { fleet, replica, container } = await startFleet();
    await using _ = fleet;
    const size = { container: container.id, height: 50, width: 132 };
    await replica.mutate("containers", "resize", size);
    const flat = replica.mutate("containers", "resize", { ...size, height: 0 });
    await expect(flat).rejects.toMatchObject({
      code: "INVALID_INPUT",
      message: "Invalid input: height is 0, must be at least 1",
    });
  });
});
