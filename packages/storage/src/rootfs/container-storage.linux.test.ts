import { access, lstat, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import { hasCode } from "@podfleet/model/errors";
import { type ImageId, imageIdSchema, newContainerId, newOperationId } from "@podfleet/model/ids";
import { createTempRoot, type TempRoot } from "@podfleet/testkit/temp-root";
import { afterEach, beforeEach, expect, test } from "vitest";

import { ImageStore } from "../image/image-store.ts";
import { dockerArchive, tar, type TestLayer } from "../image/test-archive.ts";
import { ContainerStorage } from "./container-storage.ts";

let root: TempRoot;
let images: ImageStore;
let storage: ContainerStorage;

beforeEach(async () => {
  root = await createTempRoot("storage");
  images = await ImageStore.open(join(root.path, "images"), systemClock);
  storage = new ContainerStorage(join(root.path, "containers"), images);
});

afterEach(async () => {
  await root[Symbol.asyncDispose]();
});

async function loadImage(layers: readonly TestLayer[]): Promise<ImageId> {
  const archive = await dockerArchive([{ layers }]);
  const uploadId = newOperationId();
  await images.uploads.append(uploadId, 0, archive);
  const [image] = await images.load(uploadId, archive.length);
  return imageIdSchema.parse(image?.id);
}

async function layer(files: Readonly<Record<string, string>>): Promise<TestLayer> {
  return { tar: await tar(Object.entries(files).map(([name, content]) => ({ name, content }))) };
}

test("layers lie over each other, deletions included", async () => {
  const imageId = await loadImage([
    await layer({ "dir/low": "low", "dir/gone": "x", "hidden/old": "x", both: "low" }),
    await layer({ "dir/.wh.gone": "", "hidden/.wh..wh..opq": "", "hidden/new": "n", both: "high" }),
  ]);
  const id = newContainerId();
  await storage.create(id);
  const rootfs = await storage.mountRootfs(id, imageId);
  expect(await readdir(join(rootfs, "dir"))).toEqual(["low"]);
  expect(await readdir(join(rootfs, "hidden"))).toEqual(["new"]);
  expect(await readFile(join(rootfs, "both"), "utf8")).toBe("high");
  await storage.remove(id);
});

test("what one container writes is its own, and survives unmounting", async () => {
  const imageId = await loadImage([await layer({ file: "image" })]);
  const [one, two] = [newContainerId(), newContainerId()];
  for (const id of [one, two]) await storage.create(id);
  const first = await storage.mountRootfs(one, imageId);
  const second = await storage.mountRootfs(two, imageId);
  await writeFile(join(first, "file"), "mine");
  await rm(join(second, "file"));
  await storage.unmountRootfs(one);
  expect(storage.isMounted(one)).toBe(false);
  expect(await readFile(join(await storage.mountRootfs(one, imageId), "file"), "utf8")).toBe(
    "mine",
  );
  await expect(access(join(second, "file"))).rejects.toThrow("ENOENT");
  for (const id of [one, two]) await storage.remove(id);
});

test("mounting, unmounting and removing twice is harmless", async () => {
  const imageId = await loadImage([await layer({ file: "x" })]);
  const id = newContainerId();
  await storage.unmountRootfs(id);
  await storage.create(id);
  expect(storage.isMounted(id)).toBe(false);
  const rootfs = await storage.mountRootfs(id, imageId);
  const { dev } = await lstat(rootfs);
  expect(await storage.mountRootfs(id, imageId)).toBe(rootfs);
  expect((await lstat(rootfs)).dev).toBe(dev);
  expect(storage.isMounted(id)).toBe(true);
  await storage.unmountRootfs(id);
  await storage.unmountRootfs(id);
  await storage.remove(id);
  await storage.remove(id);
  expect(await readdir(join(root.path, "containers"))).toEqual([]);
});

test("a mounted container that a process of the host is in can be removed", async () => {
  const imageId = await loadImage([await layer({ file: "x" })]);
  const id = newContainerId();
  await storage.create(id);
  const before = process.cwd();
  process.chdir(await storage.mountRootfs(id, imageId));
  try {
    await storage.remove(id);
  } finally {
    process.chdir(before);
  }
  expect(await readdir(join(root.path, "containers"))).toEqual([]);
});

test("an image without layers, one with a layer twice, and one with 127 of them", async () => {
  const twice = await layer({ twice: "x" });
  const many = await Promise.all(
    Array.from({ length: 127 }, async (_, index) => await layer({ [`file-${index}`]: "x" })),
  );
  for (const layers of [[], [twice, await layer({ other: "x" }), twice], many]) {
    const id = newContainerId();
    await storage.create(id);
    const rootfs = await storage.mountRootfs(id, await loadImage(layers));
    expect(await readdir(rootfs)).toHaveLength(new Set(layers).size);
    await storage.remove(id);
  }
});

test("an image that is not there is named", async () => {
  const id = newContainerId();
  await storage.create(id);
  const missing = imageIdSchema.parse(`sha256:${"0".repeat(64)}`);
  await expect(storage.mountRootfs(id, missing)).rejects.toSatisfy((error) =>
    hasCode(error, "IMAGE_NOT_FOUND"),
  );
});

test("a mount that the kernel refuses says why", async () => {
  const imageId = await loadImage([await layer({ file: "x" })]);
  const id = newContainerId();
  await storage.create(id);
  await rm(join(root.path, "containers", id, "work"), { recursive: true });
  const mounting = storage.mountRootfs(id, imageId);
  await expect(mounting).rejects.toSatisfy((error) => hasCode(error, "STORAGE_FAILED"));
  await expect(mounting).rejects.toThrow("Cannot mount the container's root filesystem");
});
