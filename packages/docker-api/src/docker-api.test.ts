import { once } from "node:events";
import type { AddressInfo } from "node:net";

import fc from "fast-check";
import fastify, { type FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { createDockerApi } from "./docker-api.ts";
import { openPlainStream, type PlainStream } from "./http/plain-stream.ts";
import { contextWithoutDatabase } from "./test-context.ts";

/** A request that is understood is answered with 503. */
const defects: unknown[] = [];
let server: FastifyInstance;

beforeAll(async () => {
  server = fastify();
  const api = createDockerApi({
    ...{ contextOf: contextWithoutDatabase, version: "1.2.3" },
    onDefect: (error) => defects.push(error),
  });
  void server.register(api.routes);
  await server.ready();
});

afterAll(async () => {
  await server.close();
  expect(defects).toEqual([]);
});

async function ask(method: "GET" | "POST" | "HEAD" | "DELETE", path: string, payload?: string) {
  const response = await server.inject({ method, url: path, ...(payload ? { payload } : {}) });
  const message: string | undefined = response.body ? response.json().message : undefined;
  return { status: response.statusCode, message, headers: response.headers };
}

test("a defect in the lookup of a token is reported, and its details stay in the process", async () => {
  const reported: unknown[] = [];
  const error = new Error('Failed query: select "hash" from "api_tokens"');
  const api = createDockerApi({
    contextOf: async () => await Promise.reject(error),
    version: "1.2.3",
    onDefect: (defect) => reported.push(defect),
  });
  const broken = fastify();
  void broken.register(api.routes);
  const response = await broken.inject({ method: "GET", url: "/v1.47/info" });
  await broken.close();
  expect(response.statusCode).toBe(500);
  expect(response.json().message).toBe("Internal failure: the control plane's log says why");
  expect(reported).toContain(error);
});

test("each answer tells the versions, and an error's type is spelled as Docker's CLI wants it", async () => {
  const { status, headers, message } = await ask("GET", "/v1.47/containers/json");
  expect(status).toBe(503);
  expect(message).toBe("Cannot reach Postgres");
  expect(headers).toMatchObject({
    "api-version": "1.47",
    "content-type": "application/json",
    ostype: "linux",
    server: "podfleet/1.2.3 (linux)",
  });
});

test.each([
  ["/v1.99/info", 400, "client version 1.99 is too new. Maximum supported API version is 1.47"],
  ["/v1.12/info", 400, "client version 1.12 is too old. Minimum supported API version is 1.24"],
  ["/v1.47/swarm", 404, "page not found: podfleet does not serve GET /v1.47/swarm"],
])("%s is %i", async (path, status, message) => {
  expect(await ask("GET", path)).toMatchObject({ status, message });
});

describe("a wrong value is named", () => {
  test.each([
    ["GET", "/containers/json?all=perhaps", 'all is "perhaps"'],
    ["GET", "/containers/json?limit=many", 'limit is "many"'],
    ["GET", "/containers/json?filters=%7B", "filters is not JSON"],
    ["GET", "/containers/a/logs?stdout=1&tail=x", 'tail is "x"'],
    ["GET", "/containers/a/logs?stdout=1&since=x", 'since is "x"'],
    ["GET", "/containers/a/logs", "you must choose at least one stream"],
    ["GET", "/containers/a/top?ps_args=aux", 'ps_args is "aux"'],
    ["POST", "/containers/a/attach?logs=1", 'must be true, or "stdin" or "stderr" must'],
    ["POST", "/containers/a/attach?stream=1&stdout=1", "Cannot attach without an upgrade"],
    ["POST", "/containers/a/wait?condition=x", 'condition is "x"'],
    ["POST", "/containers/a/resize?h=1", "w is missing"],
    ["POST", "/containers/a/resize?h=-1&w=70000", 'h is "-1"'],
    ["POST", "/containers/a/stop?t=soon", 't is "soon"'],
    ["POST", "/containers/a/stop?signal=INT", 'signal is "INT"'],
    ["POST", "/containers/a/rename", "name is missing"],
    ["POST", "/exec/a/resize?h=1&w=1", "No such exec instance: a"],
  ] as const)("%s %s", async (method, path, message) => {
    const answer = await ask(method, path);
    expect(answer.status).toBe(path.startsWith("/exec/a/") ? 404 : 400);
    expect(answer.message).toContain(message);
  });

  test.each([
    ["{", "Cannot read the body as JSON"],
    ["[]", "input is [], must be an object"],
    ["{}", "Cmd is missing, must be a list of strings: no exec command specified"],
    ['{"Cmd":"ls"}', 'Cmd is "ls", must be a list'],
    ['{"Cmd":["ls",1]}', "Cmd[1] is 1, must be a string"],
    ['{"Cmd":["ls"],"Tty":"yes"}', 'Tty is "yes", must be true or false'],
    ['{"Cmd":["ls"],"DetachKeys":"ctrl-1"}', 'DetachKeys is "ctrl-1", must be keys'],
    ['{"Cmd":["ls"],"ConsoleSize":[1]}', "ConsoleSize"],
  ])("of an exec's %s", async (body, message) => {
    const answer = await ask("POST", "/v1.44/containers/a/exec", body);
    expect(answer).toMatchObject({ status: 400, message: expect.stringContaining(message) });
  });
});

test("whatever is asked, the answer is an error of the caller's, or that the control plane is away", async () => {
  const methods = fc.constantFrom("GET", "POST", "DELETE");
  const paths = fc.constantFrom(
    ...[
      "json",
      "a/json",
      "a/logs",
      "a/attach",
      "a/wait",
      "a/resize",
      "a/exec",
      "a/stop",
      "a/kill",
    ].map((path) => `/containers/${path}`),
    ...[`/exec/${"0".repeat(64)}/start`, "/exec/%2e/json", "/exec/%zz/json", "/info"],
  );
  const names = [
    "all",
    "limit",
    "filters",
    "stdout",
    "stream",
    "tail",
    "since",
    "condition",
    "h",
    "w",
    "t",
  ];
  const queries = fc.dictionary(
    fc.constantFrom(...names),
    fc.oneof(fc.string(), fc.json(), fc.constant("1")),
  );
  const bodies = fc.oneof(fc.string(), fc.json(), fc.constant('{"Cmd":["ls"],"Detach":true}'));
  const requests = fc.record({ method: methods, path: paths, query: queries, body: bodies });
  await fc.assert(
    fc.asyncProperty(requests, async ({ method, path, query, body }) => {
      const search = new URLSearchParams(query).toString();
      const { status, message } = await ask(method, `/v1.45${path}?${search}`, body);
      expect([400, 404, 503]).toContain(status);
      expect(message).toMatch(/.+/);
    }),
    { numRuns: 300 },
  );
});

test("H4: a client that goes away ends a reply that is open", async () => {
  const own = fastify();
  const opened = Promise.withResolvers<PlainStream>();
  own.get("/", async (_request, reply) => {
    const { signal: closing } = new AbortController();
    opened.resolve(openPlainStream(reply, { contentType: "text/plain", closing }));
  });
  await own.listen();
  const abort = new AbortController();
  const { port } = own.server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/`, { signal: abort.signal });
  expect(response.status).toBe(200);
  const stream = await opened.promise;
  expect(stream.signal.aborted).toBe(false);
  abort.abort();
  if (!stream.signal.aborted) await once(stream.signal, "abort");
  await own.close();
});
