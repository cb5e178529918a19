import { buffer } from "node:stream/consumers";

import {
  type CheckpointManifest,
  checkpointManifestSchema,
} from "@podfleet/model/container/checkpoint";
import { containerSpecSchema } from "@podfleet/model/container/spec";
import { PodfleetError } from "@podfleet/model/errors";
import { newContainerId, newOperationId } from "@podfleet/model/ids";
import { simulatedImage } from "@podfleet/simulator/simulated-records";
import { waitFor } from "@podfleet/testkit/wait-for";
import { pack } from "tar-stream";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startTestServers, TestFleet, type TestServers } from "../test-fleet.ts";

let servers: TestServers;
beforeAll(async () => {
  servers = await startTestServers();
});
afterAll(async () => {
  await servers[Symbol.asyncDispose]();
});

const manifest: CheckpointManifest = checkpointManifestSchema.parse({
  format: "podfleet-checkpoint",
  version: 1,
  createdAt: new Date(0).toISOString(),
  operationId: newOperationId(),
  container: { id: newContainerId(), name: "web" },
  imageId: simulatedImage.id,
  spec: containerSpecSchema.parse({ image: "busybox", name: "web", resources: { cpus: 1 } }),
  runtime: "runc",
  criuVersion: "4.2.1",
  kernelVersion: "6.18",
  architecture: "x86_64",
  forArchive: true,
  files: [],
});

async function archiveOf(content: object, sizeBytes = 1_000_000): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: "manifest.json" }, JSON.stringify(content));
  archive.entry({ name: "image/pages-1.img" }, Buffer.alloc(sizeBytes, 7));
  archive.finalize();
  return await buffer(archive);
}

async function startFleet() {
  const { fleet, replica, agent } = await TestFleet.start(servers);
  const restore = async (query: string, body: Uint8Array | ReadableStream, signal?: AbortSignal) =>
    await replica.fetch(`/containers/restore?${query}`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body,
      duplex: "half",
      ...(signal ? { signal } : {}),
    } as RequestInit);
  const names = async () => {
    const containers = await replica.query("containers", "list", { all: true });
    return containers.map(({ name }) => name);
  };
  return { fleet, replica, agent, restore, names };
}

test("an archive makes a new container on a host that has the image, once", async () => {
  const { fleet, agent, restore, names } = await startFleet();
  await using _ = fleet;
  const archive = await archiveOf(manifest);
  const query = `operationId=${newOperationId()}&name=copy&host=host-1&tcpEstablished=true`;
  const first = await restore(query, archive);
  expect(first.status).toBe(200);
  const result = (await first.json()) as { operationId: string; container: { id: string } };
  expect(result).toMatchObject({ container: { name: "copy", host: { name: "host-1" } } });
  expect(Buffer.concat([...agent.host.uploads.values()]).equals(archive)).toBe(true);
  const { operationId, container } = result;
  const again: unknown = await (await restore(query, archive)).json();
  expect(again).toMatchObject({ operationId, container: { id: container.id } });
  expect(agent.host.performed).toHaveLength(1);
  expect(await names()).toEqual(["copy"]);
});

test.each([
  ["a foreign archive", Buffer.alloc(100_000, "x"), "CHECKPOINT_INVALID"],
  ["nothing", Buffer.alloc(0), "CHECKPOINT_INVALID"],
  ["a manifest of something else", await archiveOf({ format: "other" }), "CHECKPOINT_INVALID"],
  [
    "a container that depends on others",
    await archiveOf({ ...manifest, spec: { ...manifest.spec, dependencies: [newContainerId()] } }),
    "CHECKPOINT_INVALID",
  ],
  [
    "an image that no host has",
    await archiveOf({ ...manifest, imageId: `sha256:${"0".repeat(64)}` }),
    "IMAGE_NOT_FOUND",
  ],
])("K7 %s is refused, and nothing is created", async (_name, archive, code) => {
  const { fleet, agent, restore, names } = await startFleet();
  await using _ = fleet;
  const response = await restore("name=copy", archive);
  expect(await response.json()).toMatchObject({ error: { code } });
  expect(await names()).toEqual([]);
  expect(agent.host.uploads.size).toBe(0);
});

test("a name in use is refused before the archive is sent on", async () => {
  const { fleet, replica, agent, restore } = await startFleet();
  await using _ = fleet;
  await replica.mutate("containers", "create", { spec: { image: "busybox", name: "web" } });
  const response = await restore("name=web", await archiveOf(manifest, 20_000_000));
  expect(response.status).toBe(409);
  expect(await response.json()).toMatchObject({ error: { code: "NAME_IN_USE" } });
  expect(agent.host.uploads.size).toBe(0);
});

test("a host that fails frees the name", async () => {
  const { fleet, agent, restore, names } = await startFleet();
  await using _ = fleet;
  agent.host.failNext(new PodfleetError("CHECKPOINT_FAILED", "CRIU says no"));
  const response = await restore("name=copy", await archiveOf(manifest));
  expect(await response.json()).toMatchObject({ error: { code: "CHECKPOINT_FAILED" } });
  expect(await names()).toEqual([]);
  expect((await restore("name=copy", await archiveOf(manifest))).status).toBe(200);
});

test("a caller that breaks the upload off frees the name", async () => {
  const { fleet, replica, restore, names } = await startFleet();
  await using _ = fleet;
  const abort = new AbortController();
  const archive = await archiveOf(manifest, 5_000_000);
  const cutOff = new ReadableStream({
    start: (controller) => controller.enqueue(archive.subarray(0, 2_000_000)),
  });
  const restoring = restore("name=copy", cutOff, abort.signal);
  await waitFor(async () => (await names()).includes("copy"), { what: "the name to be taken" });
  abort.abort();
  await expect(restoring).rejects.toThrow("aborted");
  await waitFor(async () => (await names()).length === 0, { what: "the name to be free" });
  const [operation] = await replica.query("operations", "list", {});
  expect(operation).toMatchObject({ verb: "container.import", error: { code: "CANCELLED" } });
});

test("a stream whose agent has lost it breaks the connection off", async () => {
  const { fleet, replica, agent } = await startFleet();
  await using _ = fleet;
  await replica.mutate("containers", "create", { spec: { image: "busybox", name: "web" } });
  agent.host.transferred = Buffer.alloc(32 * 1024 * 1024);
  const response = await replica.fetch("/containers/web/checkpoint");
  const reader = response.body?.getReader();
  await reader?.read();
  agent.host.transfers.clear();
  const drain = async (): Promise<void> => {
    for (let part = await reader?.read(); part?.done === false;) part = await reader?.read();
  };
  await expect(drain()).rejects.toThrow("terminated");
});
