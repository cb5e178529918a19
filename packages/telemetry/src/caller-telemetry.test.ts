import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";

import { trace } from "@opentelemetry/api";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { type CallerTelemetry, startCallerTelemetry } from "./caller-telemetry.ts";
import { decodeSpans } from "./decode-spans.ts";

let server: Server;
let telemetry: CallerTelemetry;
let requests: { path: string | undefined; authorization: string | undefined; body: Buffer }[] = [];
let isSilent = false;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await buffer(request);
  const { authorization } = request.headers;
  requests.push({ path: request.url, authorization, body });
  if (!isSilent) response.end("{}");
}

beforeAll(async () => {
  server = createServer((request, response) => void answer(request, response));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  telemetry = startCallerTelemetry({
    serviceName: "podfleet-cli",
    serviceVersion: "1.2.3",
    url: typeof address === "object" ? `http://127.0.0.1:${address?.port}` : "",
    token: "pf_secret",
  });
});

beforeEach(() => {
  requests = [];
});

afterAll(async () => {
  server.closeAllConnections();
  await once(server.close(), "close");
});

test("delivers the spans with the caller's token", async () => {
  trace.getTracer("test").startSpan("podfleet run").end();
  await telemetry.flush();
  expect(requests).toMatchObject([{ path: "/v1/traces", authorization: "Bearer pf_secret" }]);
  const spans = requests.flatMap(({ body }) => decodeSpans(body, "application/json"));
  expect(spans).toMatchObject([{ name: "podfleet run", serviceName: "podfleet-cli" }]);
});

test("sends nothing when there is nothing to send", async () => {
  await telemetry.flush();
  expect(requests).toEqual([]);
});

test("gives up on a control plane that does not answer, without an error", async () => {
  isSilent = true;
  trace.getTracer("test").startSpan("podfleet run").end();
  await expect(telemetry.flush()).resolves.toBeUndefined();
});
