import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { PodfleetError } from "@podfleet/model/errors";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { HijackedConnection } from "./hijacked-connection.ts";

let server: Server;
const clients: Socket[] = [];
const servers: AbortController[] = [];

beforeEach(() => {
  server = createServer({ allowHalfOpen: true });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  for (const closing of servers.splice(0)) closing.abort();
  server.close();
  await once(server, "close");
});

interface Pair {
  readonly client: Socket;
  readonly connection: HijackedConnection;
  readonly closing: AbortController;
}

async function connected(kind: string, head = ""): Promise<Pair> {
  const path = join(tmpdir(), `podfleet-hijack-${process.pid}.sock`);
  server.listen(kind === "unix" ? { path } : { port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const address = server.address();
  const target = typeof address === "string" ? { path } : { port: address?.port ?? 0 };
  const accepted = once(server, "connection");
  const client = connect({ ...target, host: "127.0.0.1", allowHalfOpen: true });
  clients.push(client);
  const [socket] = (await accepted) as [Socket];
  const closing = new AbortController();
  servers.push(closing);
  const upgrade = { socket, head: Buffer.from(head), closing: closing.signal };
  return { client, connection: new HijackedConnection(upgrade), closing };
}

async function inputOf(connection: HijackedConnection): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of connection.input()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function aborted(signal: AbortSignal): Promise<boolean> {
  if (!signal.aborted) await once(signal, "abort");
  return true;
}

const framed = { contentType: "application/vnd.docker.multiplexed-stream", isFramed: true };
const raw = { contentType: "application/vnd.docker.raw-stream", isFramed: false };

describe.each(["unix", "tcp"])("over %s", (kind) => {
  test.each([
    ["frames", framed],
    ["raw bytes", raw],
  ])("with %s, a half-close ends the input of a client that is there", async (_what, format) => {
    const { client, connection } = await connected(kind, "be");
    connection.accept(format);
    client.end("gin");
    expect(await inputOf(connection)).toBe("begin");
    expect(connection.gone.aborted).toBe(false);
    client.resume();
    await connection.write([Buffer.from("bye")]);
    connection.end();
    await aborted(connection.gone);
  });

  test.each([
    ["frames", framed],
    ["raw bytes", raw],
  ])("with %s, a client that vanishes is gone within a second", async (_what, format) => {
    const { client, connection } = await connected(kind);
    connection.accept(format);
    const input = inputOf(connection);
    // A client that leaves something unread resets the connection, which is easily seen.
    await once(client, "data");
    client.destroy();
    await input;
    const signal = AbortSignal.timeout(1_000);
    await Promise.race([aborted(connection.gone), aborted(signal)]);
    expect(signal.aborted).toBe(false);
  });

  test("with frames, the input of a client that vanishes is known not to have ended", async () => {
    const { client, connection } = await connected(kind);
    connection.accept(framed);
    await once(client, "data");
    client.destroy();
    await inputOf(connection);
    expect(connection.gone.aborted).toBe(true);
  });
});

test("a body that comes in pieces is taken off the stream", async () => {
  const { client, connection } = await connected("tcp", '{"a"');
  client.write(": 1}and ");
  expect(await connection.body({ "content-length": "8" })).toBe('{"a": 1}');
  connection.accept(raw);
  client.end("more");
  expect(await inputOf(connection)).toBe("and more");
});

test.each([
  ["in chunks", { "transfer-encoding": "chunked" }, "Content-Length"],
  ["too long", { "content-length": "9999999" }, "must have at most 1048576 bytes"],
])("a body %s is refused", async (_what, headers, message) => {
  const { connection } = await connected("tcp");
  await expect(connection.body(headers)).rejects.toThrow(message);
});

const failure = new PodfleetError("CONFLICT", "No way");

test("what fails before the stream is an HTTP error", async () => {
  const { client, connection } = await connected("tcp");
  await connection.fail(failure);
  expect(await received(client)).toBe(
    'HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{"message":"No way"}',
  );
});

test("what fails within the stream is told there", async () => {
  const { client, connection } = await connected("tcp");
  connection.accept(framed);
  await connection.fail(failure);
  const [head, stream] = (await received(client)).split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 101 /);
  expect(stream).toBe("\u0002\0\0\0\0\0\0\u0008No way\r\n");
});

test("the end of the server ends it", async () => {
  const { connection, closing } = await connected("tcp");
  connection.accept(raw);
  closing.abort();
  expect(connection.gone.aborted).toBe(true);
  expect(await inputOf(connection)).toBe("");
});

async function received(client: Socket): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of client) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString("latin1");
}
