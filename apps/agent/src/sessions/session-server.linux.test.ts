import type { Clock } from "@podfleet/base/clock";
import { systemClock } from "@podfleet/base/clock";
import { type Bus, connectBus } from "@podfleet/bus/connection";
import { startNatsServer, type TestNatsServer } from "@podfleet/bus/test-nats-server";
import { EngineUnderTest } from "@podfleet/engine/test-engine";
import { type ContainerId, newHostId } from "@podfleet/model/ids";
import { agentInboxPrefix, controlPlaneInboxPrefix } from "@podfleet/protocol/subject";
import { printedSeed } from "@podfleet/testkit/seed";
import { waitFor } from "@podfleet/testkit/wait-for";
import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";

import { SessionConnection } from "./session-connection.ts";
import { SessionServer } from "./session-server.ts";
import { TestClient, type TestClientOptions } from "./test-client.ts";

const hostId = newHostId();
const stack = new AsyncDisposableStack();
let nats: TestNatsServer;
let under: EngineUnderTest;
let agentBus: Bus;
let bus: Bus;
let server: SessionServer;
let lateMs = 0;

/** A clock that can be set forward. */
const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + lateMs };

beforeAll(async () => {
  nats = stack.use(await startNatsServer());
  under = stack.use(await EngineUnderTest.open());
  agentBus = await connectBus({
    servers: nats.url,
    credentials: await nats.agentCredentials(hostId),
    inboxPrefix: agentInboxPrefix(hostId),
    name: "agent",
  });
  stack.defer(async () => await agentBus.close());
  bus = await connectBus({
    servers: nats.url,
    credentials: await nats.controlPlaneCredentials(),
    inboxPrefix: controlPlaneInboxPrefix,
    name: "control-plane",
  });
  stack.defer(async () => await bus.close());
  server = await startServer();
  stack.defer(async () => await server.stop());
});

afterAll(async () => {
  await stack[Symbol.asyncDispose]();
});

async function startServer(): Promise<SessionServer> {
  const log = pino({ level: "silent" });
  const { sessions } = under.engine;
  return await SessionServer.start({ bus: agentBus, hostId, sessions, log, clock });
}

async function open(
  containerId: ContainerId,
  options: Partial<TestClientOptions> = {},
): Promise<TestClient> {
  return await TestClient.open({ bus, hostId, server, containerId, ...options });
}

function session({ opened }: TestClient) {
  return under.engine.sessions.list({ sessionId: opened.session.id, all: true })[0];
}

const exited = (exitCode: number) => ({ exitCode, exitUnknown: false, timedOut: false });

describe("output", () => {
  test("comes within the credit, and the exit after all of it was acknowledged", async () => {
    const id = await under.create({ command: ["sh", "-c", "head -c 3000000 /dev/zero; exit 3"] });
    const window = 64 * 1024;
    const client = await open(id, { spec: { run: "next" }, window, greedy: false });
    await under.start(id);
    await under.exited(id);
    await client.frame("output");
    const hasExit = () => client.frames.at(-1)?.type === "exit";
    while (!hasExit()) {
      const received = client.offset;
      client.credit(window);
      await waitFor(() => client.offset > received || hasExit(), {
        what: "the next part",
        intervalMs: 1,
      });
      expect(client.offset - received).toBeLessThanOrEqual(window);
    }
    const exit = await client.frame("exit");
    expect(exit).toMatchObject({ offset: client.offset, exit: exited(3) });
    expect(client.frames.at(-1)?.type).toBe("exit");
    expect(client.stdout.length).toBe(3_000_000);
    client.send({ type: "detach" });
    await waitFor(() => session(client)?.end === "exited", { what: "the end of the session" });
  });

  test("without credit none comes; a small window counts as one record", async () => {
    const id = await under.run("echo one; sleep 600");
    const spec = { from: "start" } as const;
    const client = await open(id, { spec, window: 0, greedy: false });
    const other = await open(id, { spec, window: 1, greedy: false });
    await other.frame("output");
    expect(client.frames).toEqual([]);
    client.credit(1);
    await client.frame("output");
    expect(client.stdout.toString()).toBe("one\n");
  });

  test("a gap takes the place of what is not kept any more", async () => {
    const id = await under.run("seq 1 60000; sleep 600");
    await under.printed(id, "60000");
    await under.reopen({ journalBytesMax: 1024 ** 2 });
    await server.stop();
    server = await startServer();
    const located = async () => {
      const { offset } = await under.engine.locateJournal({ containerId: id });
      return offset > 0 && offset;
    };
    const keptFrom = await waitFor(located, { what: "the front to be given up" });
    const client = await open(id, { spec: { from: "start" } });
    expect(await client.frame("gap")).toEqual({ type: "gap", from: 0, to: keptFrom });
  });
});

describe("input", () => {
  test("is acknowledged and echoed; its end ends the command", async () => {
    const id = await under.run("cat", { stdin: true });
    const client = await open(id, { spec: { input: "shared" } });
    expect(client.opened.input).toMatchObject({ seq: 0, ended: false });
    client.send({ type: "input", seq: 0, bytes: Buffer.from("hello\n") });
    expect(await client.frame("ack")).toMatchObject({ seq: 6 });
    await waitFor(() => client.stdout.toString() === "hello\n", { what: "the echo" });
    client.send({ type: "inputEnd", seq: 6 });
    expect(await client.frame("exit")).toMatchObject({ exit: exited(0) });
  });

  test("room is given when the command runs, and an end that came before is kept", async () => {
    const id = await under.create({ command: ["sh", "-c", "cat; echo end"], stdin: true });
    const spec = { run: "next", input: "shared" } as const;
    const waiting = await open(id, { spec });
    const ending = await open(id, { spec });
    expect(waiting.opened.input).toEqual({ seq: 0, limit: 0, ended: false });
    ending.send({ type: "inputEnd", seq: 0 });
    await under.start(id);
    const { limit } = await waiting.frame("ack");
    expect(limit).toBeGreaterThan(0);
    waiting.send({ type: "input", seq: 0, bytes: Buffer.from("x\n") });
    waiting.send({ type: "inputEnd", seq: 2 });
    await waiting.frame("exit");
    expect(waiting.stdout.toString()).toBe("x\nend\n");
  });

  test("what is typed after a change of the terminal's size comes after it", async () => {
    const id = await under.run("while read -r line; do stty size; done", {
      stdin: true,
      tty: true,
    });
    const client = await open(id, { spec: { input: "shared" } });
    let seq = 0;
    for (const height of [10, 20, 30]) {
      client.send({ type: "resize", size: { height, width: 77 } });
      client.send({ type: "input", seq, bytes: Buffer.from("x\n") });
      seq += 2;
      const shown = `${height} 77`;
      await waitFor(() => client.stdout.toString().includes(shown), { what: shown });
    }
    expect(client.stdout.toString().match(/\d+ 77/g)).toEqual(["10 77", "20 77", "30 77"]);
  });

  test.each([
    ["a hole", { type: "input", seq: 5, bytes: Buffer.from("x") }, "UNAVAILABLE"],
    ["credit for what was not sent", { type: "credit", offset: 5_000, window: 1 }, "INVALID_INPUT"],
    ["a frame of the agent's", { type: "ack", seq: 0, limit: 0 }, "INVALID_INPUT"],
  ] as const)("%s ends the connection, not the session", async (_what, frame, code) => {
    const id = await under.run("cat", { stdin: true });
    const client = await open(id, { spec: { input: "shared" } });
    client.send(frame);
    expect(await client.frame("error")).toMatchObject({ error: { code } });
    expect(session(client)).toMatchObject({ connected: false });
    expect(session(client)?.end).toBeUndefined();
  });
});

describe("connections", () => {
  test("whatever bytes come, they are taken, or end the connection with an error; others go on", async () => {
    const id = await under.run("cat", { stdin: true });
    const other = await open(id, { spec: { input: "shared" } });
    const seed = printedSeed("frames");
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .tuple(fc.integer({ min: 0x20, max: 0x25 }), fc.uint8Array({ maxLength: 24 }))
        .map(([type, rest]) => Uint8Array.of(type, ...rest)),
      fc.constant(new Uint8Array(40_000).fill(0x20)),
    );
    for (const frames of fc.sample(fc.array(bytes, { minLength: 1, maxLength: 5 }), {
      numRuns: 60,
      seed,
    })) {
      const client = await open(id, { spec: { input: "shared" } });
      for (const frame of frames) client.send(frame);
      client.send(Uint8Array.of(0xff));
      const { error } = await client.frame("error");
      expect(["INVALID_INPUT", "UNAVAILABLE"]).toContain(error.code);
      under.engine.sessions.end(client.opened.session.id);
      client.close();
    }
    const { seq } = other.opened.input ?? { seq: 0 };
    other.send({ type: "input", seq, bytes: Buffer.from("still there\n") });
    await waitFor(() => other.stdout.includes("still there\n"), { what: "the echo" });
  });

  test("a second connection takes the session over; the first is told", async () => {
    const id = await under.run("sleep 600");
    const first = await open(id);
    const second = await open(id, { sessionId: first.opened.session.id });
    expect(await first.frame("error")).toMatchObject({ error: { code: "SESSION_IN_USE" } });
    first.send({ type: "detach" });
    expect((await first.frame("error")).error.code).toBe("SESSION_IN_USE");
    expect(session(second)).toMatchObject({ connected: true, detached: false });
  });

  test("a client that the relay has lost, and one that is silent for too long, are let go", async () => {
    const id = await under.run("sleep 600");
    const lost = await open(id);
    lost.send({ type: "lost" });
    await waitFor(() => session(lost)?.connected === false, { what: "the loss" });
    const silent = await open(id);
    lateMs += 60_000;
    await waitFor(() => session(silent)?.connected === false, { what: "the loss" });
    expect([session(lost)?.end, session(silent)?.end]).toEqual([undefined, undefined]);
  });

  test("a client that has closed, or was never there, is told to open another", async () => {
    const id = await under.run("sleep 600");
    const client = await open(id);
    under.engine.sessions.end(client.opened.session.id);
    expect(await client.frame("error")).toMatchObject({ error: { code: "SESSION_ENDED" } });
    client.frames.length = 0;
    client.credit(1);
    expect(await client.frame("error")).toMatchObject({ error: { code: "UNAVAILABLE" } });
  });

  test("NATS goes away: the session is let go at once, and is resumed when NATS is back", async () => {
    const id = await under.run("cat", { stdin: true });
    const client = await open(id, { spec: { input: "shared" } });
    await nats.kill();
    await waitFor(() => session(client)?.connected === false, { what: "the loss" });
    await nats.restart();
    await waitFor(() => agentBus.bulk.connected && bus.bulk.connected, { what: "NATS" });
    const again = await open(id, { sessionId: client.opened.session.id });
    again.send({ type: "input", seq: 0, bytes: Buffer.from("x") });
    expect(await again.frame("ack")).toMatchObject({ seq: 1 });
  });

  test("the agent ends: every client is told to come back, and finds its session at the next", async () => {
    const id = await under.run("cat", { stdin: true });
    const client = await open(id, { spec: { input: "shared" } });
    client.send({ type: "input", seq: 0, bytes: Buffer.from("one\n") });
    await client.frame("output");
    await server.stop();
    expect(await client.frame("error")).toMatchObject({ error: { code: "UNAVAILABLE" } });
    await under.reopen();
    server = await startServer();
    const again = await open(id, { sessionId: client.opened.session.id });
    expect(again.opened).toMatchObject({ offset: client.offset, input: { seq: 4 } });
  });
});

test("session-beats: EMFILE in one connection, and the others have their beats", async () => {
  const id = await under.run("cat", { stdin: true });
  const clients = [await open(id), await open(id)];
  const beats = clients.map((client) => client.beats);
  const failure = Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" });
  const beat = vi.spyOn(SessionConnection.prototype, "beat").mockImplementationOnce(() => {
    throw failure;
  });
  await waitFor(() => server.loop.status.failures > 0, { what: "a failure" });
  await waitFor(() => server.loop.status.failures === 0, { what: "the loop to go on" });
  beat.mockRestore();
  expect(server.loop.status.lastError?.message).toBe(failure.message);
  for (const [index, client] of clients.entries()) {
    await waitFor(() => client.beats > (beats[index] ?? 0), { what: "a beat" });
  }
});
