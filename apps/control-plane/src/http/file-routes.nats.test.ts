import { randomBytes } from "node:crypto";

import type { FileStat } from "@podfleet/model/file";
import { newOperationId } from "@podfleet/model/ids";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startTestServers, TestFleet, type TestServers } from "../test-fleet.ts";

let servers: TestServers;
beforeAll(async () => {
  servers = await startTestServers();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

async function startFleet() {
  const { fleet, replica, agent } = await TestFleet.start(servers);
  const spec = { image: "busybox", name: "web" };
  const { container } = await replica.mutate("containers", "create", { spec });
  return { fleet, replica, agent, id: container.id };
}

describe("out of a container", () => {
  test.each([
    ["M3: its root filesystem", "/containers/web/export", "application/x-tar"],
    ["a path in it", "/containers/web/archive?path=/etc", "application/x-tar"],
    ["F1: an artifact", "/containers/web/artifacts/report", "application/octet-stream"],
  ])("%s is sent as it comes", async (_name, path, contentType) => {
    const { fleet, replica, agent } = await startFleet();
    await using _ = fleet;
    agent.host.transferred = randomBytes(1_500_000);
    const response = await replica.fetch(path);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(contentType);
    const body = Buffer.from(await response.arrayBuffer());
    expect(body.equals(agent.host.transferred)).toBe(true);
    await waitFor(() => agent.host.transfers.size === 0, { what: "the transfer to be closed" });
  });

  test("M4: a caller that breaks off ends it on the host", async () => {
    const { fleet, replica, agent } = await startFleet();
    await using _ = fleet;
    agent.host.transferred = randomBytes(32 * 1024 * 1024);
    const abort = new AbortController();
    const response = await replica.fetch("/containers/web/export", { signal: abort.signal });
    await response.body?.getReader().read();
    expect(agent.host.transfers.size).toBe(1);
    abort.abort();
    await waitFor(() => agent.host.transfers.size === 0, { what: "the transfer to be closed" });
  });

  test("changes and artifacts come as values too", async () => {
    const { fleet, replica, agent } = await startFleet();
    await using _ = fleet;
    agent.host.transferred = Buffer.from(
      '{"kind":"C","path":"/etc"}\n{"kind":"A","path":"/etc/new"}\n',
    );
    expect(await replica.query("containers", "diff", { container: "web" })).toEqual([
      { kind: "C", path: "/etc" },
      { kind: "A", path: "/etc/new" },
    ]);
    const get = { container: "web", name: "report" };
    expect(Buffer.from(await replica.query("artifacts", "get", get))).toEqual(
      agent.host.transferred,
    );
    agent.host.transferred = Buffer.alloc(5 * 1024 * 1024);
    await expect(replica.query("artifacts", "get", get)).rejects.toMatchObject({
      code: "INVALID_INPUT",
    });
  });
});

describe("into a container", () => {
  const octets = { "content-type": "application/octet-stream" };

  test.each([
    ["an archive", "/containers/web/archive?path=/srv", "container.copy"],
    ["F1: an artifact", "/containers/web/artifacts/report", "artifact.add"],
  ])("%s reaches the host before the operation that takes it", async (_name, path, verb) => {
    const { fleet, replica, agent, id } = await startFleet();
    await using _ = fleet;
    const bytes = randomBytes(1_200_000);
    const operationId = newOperationId();
    const url = `${path}${path.includes("?") ? "&" : "?"}operationId=${operationId}`;
    const put = async () =>
      await replica.fetch(url, { method: "PUT", headers: octets, body: bytes });
    const response = await put();
    expect(await response.json()).toMatchObject({ operationId, container: { id } });
    expect(Buffer.from(agent.host.uploads.get(operationId) ?? []).equals(bytes)).toBe(true);
    const operation = await replica.query("operations", "get", { operationId });
    expect(operation).toMatchObject({ verb, status: "succeeded" });
    // The same operation id takes effect once.
    expect((await put()).status).toBe(200);
    expect(agent.host.performed.filter((each) => each === operationId)).toHaveLength(1);
  });

  test("an artifact can be a value", async () => {
    const { fleet, replica, agent } = await startFleet();
    await using _ = fleet;
    const bytes = new Uint8Array([1, 2, 3]);
    const add = { container: "web", name: "report", bytes };
    const { operationId } = await replica.mutate("artifacts", "add", add);
    expect([...(agent.host.uploads.get(operationId) ?? [])]).toEqual([1, 2, 3]);
  });
});

test.each([
  ["GET", "/containers/none/export", 404, "CONTAINER_NOT_FOUND"],
  ["GET", "/containers/web/archive", 400, "INVALID_INPUT"],
  ["GET", "/containers/web/archive?path=etc", 400, "INVALID_INPUT"],
  ["GET", "/containers/web/artifacts/a..b", 400, "INVALID_INPUT"],
  ["GET", "/containers/web/artifacts/a%2fb", 400, "INVALID_INPUT"],
  ["PUT", "/containers/none/archive?path=/", 404, "CONTAINER_NOT_FOUND"],
])("%s %s is refused", async (method, path, status, code) => {
  const { fleet, replica } = await startFleet();
  await using _ = fleet;
  const body = method === "PUT" ? { body: Buffer.from("x") } : {};
  const response = await replica.fetch(path, { method, ...body });
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ error: { code } });
});

test("nothing is sent or taken without a token", async () => {
  const { fleet, replica } = await startFleet();
  await using _ = fleet;
  const headers = { authorization: "" };
  for (const path of ["export", "archive?path=/", "artifacts/report"]) {
    const get = await replica.fetch(`/containers/web/${path}`, { headers });
    expect(get.status, path).toBe(401);
    if (path === "export") continue;
    const put = { method: "PUT", headers, body: Buffer.from("x") };
    expect((await replica.fetch(`/containers/web/${path}`, put)).status, path).toBe(401);
  }
});

test("M1: mounts are counted on the record", async () => {
  const { fleet, replica } = await startFleet();
  await using _ = fleet;
  const mounted = await replica.mutate("containers", "mount", { container: "web" });
  expect(mounted.container.mount).toEqual({ path: "/mnt/rootfs", count: 1 });
  const [listed] = await replica.query("containers", "list", { all: true });
  expect(listed?.mount).toEqual({ path: "/mnt/rootfs", count: 1 });
  const unmounted = await replica.mutate("containers", "unmount", { container: "web" });
  expect(unmounted.container.mount).toBeUndefined();
});

test("what is at a path, and nothing", async () => {
  const { fleet, replica, agent } = await startFleet();
  await using _ = fleet;
  const stat: FileStat = {
    ...{ path: "/etc", sizeBytes: 0, mode: 0o755, uid: 0, gid: 0 },
    kind: "directory",
    modifiedAt: new Date(0).toISOString(),
  };
  agent.host.files.set("/link", stat);
  const ask = async (path: string) =>
    await replica.query("containers", "stat", { container: "web", path });
  expect(await ask("/link")).toEqual(stat);
  expect(await ask("/none")).toBeNull();
  expect(await replica.query("containers", "top", { container: "web" })).toEqual([]);
});
