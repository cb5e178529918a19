import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { DockerWire } from "@podfleet/testkit/docker-wire";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import { startTestServers, TestFleet, type TestServers } from "../test-fleet.ts";

let servers: TestServers;
let folder: string;
let path: string;

beforeAll(async () => {
  servers = await startTestServers();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "podfleet-docker-"));
  path = join(folder, "docker.sock");
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function ask(at: string, target: string, method = "GET") {
  using wire = await DockerWire.open({ at }, { method, path: target });
  const text = await wire.body();
  return { status: wire.status, text };
}

test("it is the owner's only, and its callers need no token", async () => {
  await using fleet = await TestFleet.create(servers);
  const replica = await fleet.startReplica(path);
  await fleet.startAgent({ name: "host-1" });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await ask(path, "/_ping")).toEqual({ status: 200, text: "OK" });
  await replica.mutate("containers", "create", { spec: { image: "busybox", name: "web" } });
  expect((await ask(path, "/containers/web/start", "POST")).status).toBe(204);
  const [operation] = await replica.query("operations", "list", { limit: 1 });
  expect(operation).toMatchObject({ verb: "container.start", caller: "docker-socket" });
});

test("over TCP a caller needs a token", async () => {
  await using fleet = await TestFleet.create(servers);
  const replica = await fleet.startReplica();
  expect((await replica.fetch("/_ping", { method: "HEAD" })).status).toBe(200);
  const stranger = await replica.fetch("/v1.44/info", { headers: { authorization: "Bearer x" } });
  expect(stranger.status).toBe(401);
  expect(await stranger.json()).toEqual({ message: expect.stringContaining("API token") });
});

test("the end of a replica removes it; one that was left behind is replaced", async () => {
  await using fleet = await TestFleet.create(servers);
  const replica = await fleet.startReplica(path);
  await replica[Symbol.asyncDispose]();
  await expect(stat(path)).rejects.toThrow("ENOENT");
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await execa(process.execPath, ["-e", script], { reject: false });
  expect((await stat(path)).isSocket()).toBe(true);
  await fleet.startReplica(path);
  expect(await ask(path, "/_ping")).toEqual({ status: 200, text: "OK" });
});
