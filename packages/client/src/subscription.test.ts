import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";

import { apiTransformer } from "@podfleet/protocol/api-value";
import { initTRPC, tracked, TRPCError } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { afterEach, expect, test } from "vitest";

import { createClient } from "./client.ts";
import { Connection } from "./connection.ts";
import { journalEnd } from "./logs.ts";
import { subscribe } from "./subscription.ts";

const t = initTRPC.create({
  transformer: apiTransformer,
  sse: { ping: { enabled: true, intervalMs: 50 }, client: { reconnectAfterInactivityMs: 5_000 } },
  errorFormatter: ({ shape }) => ({
    ...shape,
    data: { ...shape.data, podfleet: { code: "CONTAINER_NOT_FOUND", message: "Cannot find it" } },
  }),
});

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
});

async function serve(
  respond: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Connection> {
  const server = createServer(respond);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return new Connection({ url: `http://127.0.0.1:${port}`, token: "pf_0123abcd_secret" });
}

type Source = (input: Record<string, unknown>) => AsyncGenerator<[id: string, data: unknown]>;

/** A real tRPC server with one subscription, `containers.logs`. */
function logsServer(source: Source): Parameters<typeof serve>[0] {
  const logs = t.procedure
    .input((input) => input as Record<string, unknown>)
    .subscription(async function* ({ input }) {
      for await (const [id, data] of source(input)) yield tracked(id, data);
    });
  const router = t.router({ containers: t.router({ logs }) });
  return createHTTPHandler({ router, basePath: "/trpc/" });
}

const request = { path: "containers.logs", input: { container: "web" } };

async function collect(events: AsyncIterable<{ readonly data: unknown }>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const { data } of events) all.push(data);
  return all;
}

test("events keep their bytes, and the end of the subscription is the end", async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_value, index) => index);
  const connection = await serve(
    logsServer(async function* () {
      yield ["256", { bytes, next: 256 }];
    }),
  );
  expect(await collect(subscribe(connection, request))).toEqual([{ bytes, next: 256 }]);
});

test("after a break it goes on after the last event that was yielded", async () => {
  const asked: unknown[] = [];
  const open: ServerResponse[] = [];
  const received = new EventEmitter();
  const handler = logsServer(async function* (input) {
    asked.push(input["lastEventId"]);
    const from = Number(input["lastEventId"] ?? 0);
    for (let position = from + 1; position <= 9; position += 1) {
      const arrived = once(received, String(position));
      yield [String(position), position];
      await arrived;
      if (position % 3 === 0 && position < 9) open.pop()?.destroy();
    }
  });
  const connection = await serve((incoming, response) => {
    open.push(response);
    handler(incoming, response);
  });
  const positions: unknown[] = [];
  for await (const { id, data } of subscribe(connection, request)) {
    positions.push(data);
    received.emit(id);
  }
  expect(positions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(asked).toEqual([undefined, "3", "6"]);
});

test("an error of the server is the registry's error, and is not retried", async () => {
  let calls = 0;
  const connection = await serve(
    logsServer(async function* () {
      calls += 1;
      yield ["1", 1];
      throw new TRPCError({ code: "NOT_FOUND" });
    }),
  );
  await expect(collect(subscribe(connection, request))).rejects.toMatchObject({
    code: "CONTAINER_NOT_FOUND",
    message: "Cannot find it",
  });
  expect(calls).toBe(1);
});

test("a server that is not there fails at once when that is asked for", async () => {
  const connection = await serve(() => undefined);
  const server = servers.pop();
  const closed = new Promise((resolve) => server?.close(resolve));
  await closed;
  await expect(collect(subscribe(connection, request, { whenDown: "fail" }))).rejects.toMatchObject(
    {
      code: "UNAVAILABLE",
      message: expect.stringContaining("connection refused"),
    },
  );
});

test("a slow reader holds the server back", async () => {
  let produced = 0;
  const chunk = new Uint8Array(64 * 1024);
  const connection = await serve(
    logsServer(async function* () {
      for (;;) {
        produced += 1;
        yield [String(produced), chunk];
      }
    }),
  );
  const events = subscribe(connection, request);
  await events.next();
  // Rounds of the event loop in which the server could have gone on: enough for several times the bound.
  for (let round = 0; round < 5_000; round += 1) await setImmediate();
  await events.return();
  expect(produced * chunk.length).toBeLessThan(32 * 1024 * 1024);
});

test("log records come out of the journal's chunks, up to the time asked for", async () => {
  const journal = [
    "2026-11-23T10:00:00.000000001+00:00 stdout F one\n",
    "2026-11-23T10:00:01.000000001+00:00 stderr P tw\n",
    "2026-11-23T10:00:02.000000005+00:00 stdout F late\n",
  ].map((record) => Buffer.from(record));
  const connection = await serve(
    logsServer(async function* () {
      let next = 0;
      for (const bytes of journal) {
        next += bytes.length;
        yield [String(next), { bytes: new Uint8Array(bytes), next }];
      }
    }),
  );
  const client = createClient({ url: connection.url, token: "x" });
  const until = "2026-11-23T11:00:02.000000005+01:00";
  const records = [];
  for await (const { stream, bytes, endsLine } of client.followLogs({ container: "web", until })) {
    records.push([stream, Buffer.from(bytes).toString(), endsLine]);
  }
  expect(records).toEqual([
    ["stdout", "one", true],
    ["stderr", "tw", false],
  ]);
  expect(await journalEnd(connection, "web")).toBe(Buffer.concat(journal).length);
});

test("an answer that is not the API's says what it is", async () => {
  const connection = await serve((_request, response) => {
    response.writeHead(404, { "content-type": "text/html" }).end("<p>nothing here");
  });
  const client = createClient({ url: connection.url, token: "x" });
  await expect(client.api.hosts.list.query()).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining("status 404, text/html"),
  });
});
