import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";

import { afterEach, beforeEach, expect, test } from "vitest";

import { OtlpForwarder } from "./otlp-forwarder.ts";

let server: Server;
let endpoint: string;
let statuses: number[];
let received: { url: string | undefined; contentType: string | undefined; body: Buffer }[];

beforeEach(async () => {
  statuses = [];
  received = [];
  server = createServer((request, response) => void answer(request, response));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  endpoint = typeof address === "object" ? `http://127.0.0.1:${address?.port}/` : "";
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await buffer(request);
  received.push({ url: request.url, contentType: request.headers["content-type"], body });
  response.statusCode = statuses.shift() ?? 200;
  response.end();
}

afterEach(async () => {
  server.closeAllConnections();
  await once(server.close(), "close");
});

test("passes the bytes on unchanged, in order", async () => {
  const errors: unknown[] = [];
  const forwarder = new OtlpForwarder({ endpoint, onError: (error) => errors.push(error) });
  forwarder.forward(new Uint8Array([0, 255, 10]), "application/x-protobuf");
  forwarder.forward(new Uint8Array([123, 125]), "application/json");
  await forwarder.flush();
  expect(received).toEqual([
    { url: "/v1/traces", contentType: "application/x-protobuf", body: Buffer.from([0, 255, 10]) },
    { url: "/v1/traces", contentType: "application/json", body: Buffer.from([123, 125]) },
  ]);
  expect(errors).toEqual([]);
});

test.each([
  { name: "an overloaded collector", answers: [503, 200], calls: 2, failures: 0 },
  { name: "a collector that refuses", answers: [400], calls: 1, failures: 1 },
])("$name: $calls calls", async ({ answers, calls, failures }) => {
  statuses = answers;
  const errors: unknown[] = [];
  const forwarder = new OtlpForwarder({ endpoint, onError: (error) => errors.push(error) });
  forwarder.forward(new Uint8Array([1]), "application/x-protobuf");
  await forwarder.flush();
  expect(received).toHaveLength(calls);
  expect(errors).toHaveLength(failures);
});
