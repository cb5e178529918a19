import { setImmediate } from "node:timers/promises";

import { newConnectionId, newHostId } from "@podfleet/model/ids";
import { agentInboxPrefix, controlPlaneInboxPrefix } from "@podfleet/protocol/subject";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { AgentStreams, type StreamFrameListener } from "./agent-streams.ts";
import { openClientStream } from "./client-stream.ts";
import { type Bus, connectBus } from "./connection.ts";
import { startNatsServer, type TestNatsServer } from "./test-nats-server.ts";

const hostId = newHostId();
const stack = new AsyncDisposableStack();
let nats: TestNatsServer;
let agent: Bus;
let controlPlane: Bus;

beforeAll(async () => {
  nats = stack.use(await startNatsServer());
  const open = async (credentials: string, inboxPrefix: string) => {
    const bus = await connectBus({ servers: nats.url, credentials, inboxPrefix, name: "test" });
    stack.defer(async () => await bus.close());
    return bus;
  };
  agent = await open(await nats.agentCredentials(hostId), agentInboxPrefix(hostId));
  controlPlane = await open(await nats.controlPlaneCredentials(), controlPlaneInboxPrefix);
});

afterAll(async () => {
  await stack[Symbol.asyncDispose]();
});

async function connect(onFrame: StreamFrameListener) {
  const streams = await AgentStreams.open(agent, hostId, onFrame);
  const received: Uint8Array[] = [];
  const connectionId = newConnectionId();
  const client = await openClientStream(controlPlane, {
    hostId,
    connectionId,
    onFrame: (frame) => received.push(Uint8Array.from(frame)),
    onLost: () => undefined,
  });
  return { streams, client, connectionId, received };
}

test("frames arrive both ways, in order, each at its own connection", async () => {
  const frames: [string, Uint8Array][] = [];
  const { streams, client, connectionId, received } = await connect((id, frame) =>
    frames.push([id, Uint8Array.from(frame)]),
  );
  for (const value of [1, 2, 3]) client.send(Uint8Array.of(value));
  streams.send(newConnectionId(), Uint8Array.of(9));
  for (const value of [4, 5, 6]) streams.send(connectionId, Uint8Array.of(value));
  await waitFor(() => received.length === 3 && frames.length === 3, { what: "the frames" });
  expect(received.flatMap((bytes) => [...bytes])).toEqual([4, 5, 6]);
  expect(frames).toEqual([1, 2, 3].map((value) => [connectionId, Uint8Array.of(value)]));
  streams.stop();
  client.close();
});

test("a frame is copied before the next turn of the event loop, so its buffer can be used again", async () => {
  const { streams, client, connectionId, received } = await connect(() => undefined);
  const buffer = new Uint8Array(256 * 1024);
  const count = 100;
  for (let value = 0; value < count; value += 1) {
    buffer.fill(value);
    streams.send(connectionId, buffer);
    streams.send(connectionId, buffer.subarray(0, 1));
    await setImmediate();
  }
  await waitFor(() => received.length === 2 * count, { what: "the frames" });
  const isWhole = received.every((frame, index) => {
    const value = Math.floor(index / 2);
    return (
      frame.length === (index % 2 ? 1 : buffer.length) && frame.every((byte) => byte === value)
    );
  });
  expect(isWhole).toBe(true);
  streams.stop();
  client.close();
});
