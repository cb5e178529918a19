import type { HostInfo } from "@podfleet/model/host";
import { newHostId } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import { startTestPostgres, type TestPostgres } from "@podfleet/testkit/test-database";
import { afterAll, beforeAll, expect, test } from "vitest";

import type { Database } from "./database.ts";
import { registerHost } from "./hosts.ts";
import { addImages, listImages, replaceImages } from "./images.ts";
import { migrateDatabase } from "./migrate.ts";
import { addHost, newImage, openRecords } from "./test-records.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres({ prepare: migrateDatabase });
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
});

async function openHosts() {
  const records = await openRecords(postgres);
  const first = await addHost(records.database, "host-1");
  const second = await addHost(records.database, "host-2");
  return { ...records, first, second };
}

async function namesById(database: Database): Promise<Record<string, readonly string[]>> {
  const images = await listImages(database);
  return Object.fromEntries(images.map(({ id, names }) => [id, names]));
}

test("an image is listed once, with the names and the hosts that have it in order", async () => {
  await using records = await openHosts();
  const { database, first, second } = records;
  const createdAt = "2026-11-01T00:00:00.000Z";
  const image = newImage("a", { createdAt, sizeBytes: 2 ** 40 });
  await addImages(database, second.id, [{ ...image, names: ["localhost/z:1", "localhost/b:1"] }]);
  await addImages(database, first.id, [{ ...image, names: ["localhost/b:1"] }]);
  expect(await listImages(database)).toEqual([
    {
      id: image.id,
      names: ["localhost/b:1", "localhost/z:1"],
      sizeBytes: 2 ** 40,
      layers: 1,
      createdAt,
      hosts: ["host-1", "host-2"],
    },
  ]);
});

test("images are in the order of their first names, those without a name first", async () => {
  await using records = await openHosts();
  const { database, first } = records;
  const images = [newImage("c"), newImage("a"), newImage("b", { names: [] })];
  await addImages(database, first.id, images);
  expect((await listImages(database)).map(({ names }) => names)).toEqual([
    [],
    ["localhost/a:latest"],
    ["localhost/c:latest"],
  ]);
});

test("the same image added again counts once, and its newest description counts", async () => {
  await using records = await openHosts();
  const { database, first } = records;
  const image = newImage("a");
  await addImages(database, first.id, [image, { ...image, layers: 2 }]);
  await addImages(database, first.id, [{ ...image, layers: 3, sizeBytes: 300 }]);
  expect(await listImages(database)).toMatchObject([{ layers: 3, sizeBytes: 300 }]);
});

test("a name moves to the image that has it now, on that host alone", async () => {
  await using records = await openHosts();
  const { database, first, second } = records;
  const [old, next] = [newImage("a", { names: ["x:1", "x:2"] }), newImage("b", { names: ["x:1"] })];
  await addImages(database, first.id, [old]);
  await addImages(database, second.id, [old]);
  await addImages(database, first.id, [next]);
  expect(await namesById(database)).toEqual({ [old.id]: ["x:1", "x:2"], [next.id]: ["x:1"] });
  await addImages(database, second.id, [next]);
  expect(await namesById(database)).toEqual({ [old.id]: ["x:2"], [next.id]: ["x:1"] });
});

test("a list replaces all that the host was known to hold, and nothing of other hosts", async () => {
  await using records = await openHosts();
  const { database, first, second } = records;
  const [kept, gone, added] = [newImage("a"), newImage("b"), newImage("c")];
  await replaceImages(database, first.id, [kept, gone]);
  await replaceImages(database, second.id, [gone]);
  await replaceImages(database, first.id, [added, { ...kept, names: ["renamed:1"] }]);
  const held = (await listImages(database)).map(({ id, hosts }) => [id, hosts]);
  expect(Object.fromEntries(held)).toEqual({
    [kept.id]: ["host-1"],
    [gone.id]: ["host-2"],
    [added.id]: ["host-1"],
  });
  await replaceImages(database, first.id, []);
  expect(await listImages(database)).toMatchObject([{ id: gone.id, hosts: ["host-2"] }]);
});

test("a hello brings the images that the host has", async () => {
  await using records = await openHosts();
  const { database, first } = records;
  const hello = async (host: HostInfo, images: readonly Image[]) =>
    await registerHost(database, host, images);
  await hello(first, [newImage("a"), newImage("b")]);
  await hello(first, [newImage("b")]);
  expect(await listImages(database)).toMatchObject([{ id: newImage("b").id }]);
});

test("names are kept as they are, whatever they hold", async () => {
  await using records = await openHosts();
  const { database, first } = records;
  const names = [
    "{a,b}",
    'quoted"name',
    "back\\slash",
    "NULL",
    "'; drop table hosts; --",
    "ümläut:1",
  ];
  await addImages(database, first.id, [newImage("a", { names })]);
  expect((await listImages(database))[0]?.names).toEqual(names.toSorted());
  await addImages(database, first.id, [newImage("b", { names })]);
  expect(await namesById(database)).toEqual({
    [newImage("a").id]: [],
    [newImage("b").id]: names.toSorted(),
  });
});

test("images of a host that is not registered are refused", async () => {
  await using records = await openHosts();
  const { database } = records;
  await expect(addImages(database, newHostId(), [newImage("a")])).rejects.toMatchObject({
    cause: { constraint: "host_images_host_id_hosts_id_fk" },
  });
  expect(await listImages(database)).toEqual([]);
});
