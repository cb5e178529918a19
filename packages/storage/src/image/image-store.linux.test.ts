import { lstat, mkdir, readdir, readFile, utimes } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { systemClock } from "@podfleet/base/clock";
import { hasCode } from "@podfleet/model/errors";
import { newOperationId } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import { runCommand } from "@podfleet/oci/process/run-command";
import { busyboxArchive } from "@podfleet/testkit/busybox-image";
import { createTempRoot, type TempRoot } from "@podfleet/testkit/temp-root";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { uploadSilenceMaxMs } from "../upload/uploads.ts";
import { ImageStore } from "./image-store.ts";
import {
  digestOf,
  dockerArchive,
  OciLayout,
  tar,
  type TarEntry,
  type TestImage,
} from "./test-archive.ts";

let root: TempRoot;
let store: ImageStore;

beforeEach(async () => {
  root = await createTempRoot("images");
  store = await ImageStore.open(root.path, systemClock);
});

afterEach(async () => {
  await root[Symbol.asyncDispose]();
});

async function load(archive: Buffer): Promise<Image[]> {
  const uploadId = newOperationId();
  await store.uploads.append(uploadId, 0, archive);
  return await store.load(uploadId, archive.length);
}

async function layer(...entries: TarEntry[]): Promise<{ tar: Buffer }> {
  return { tar: await tar(entries) };
}

function file(name: string, content = name): TarEntry {
  return { name, content };
}

function layerPath(bytes: { readonly tar: Buffer }): string {
  const [name = ""] = /[0-9a-f]{24}/.exec(digestOf(bytes.tar)) ?? [];
  return join(store.layersDirectory, name);
}

const invalid = expect.toSatisfy((error) => hasCode(error, "IMAGE_INVALID"));

describe("archives", () => {
  test("one of docker save, with its name and configuration", async () => {
    const base = await layer(file("a"));
    const image = { name: "app:1", layers: [base], config: { Cmd: ["run"], Env: null } };
    const [loaded] = await load(await dockerArchive([image]));
    expect(loaded).toMatchObject({ names: ["docker.io/library/app:1"], layers: 1 });
    expect(loaded?.sizeBytes).toBe(base.tar.length);
    const found = store.find("app:1");
    expect(found).toEqual(loaded);
    expect(found && store.config(found.id).command).toEqual(["run"]);
    expect(await readFile(join(layerPath(base), "a"), "utf8")).toBe("a");
  });

  test("an OCI layout, one image for the machine out of several", async () => {
    const layout = new OciLayout();
    const own = layout.addImage({ layers: [await layer(file("own"))] });
    const other = layout.addImage({ layers: [await layer(file("other"))], config: { User: "x" } });
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    const index = layout.addJson({
      manifests: [
        { ...other, platform: { os: "linux", architecture: "s390x" } },
        { ...own, platform: { os: "linux", architecture } },
        { ...own, platform: { os: "unknown", architecture: "unknown" } },
      ],
    });
    const annotations = { "org.opencontainers.image.ref.name": "localhost/multi:2" };
    const images = await load(await layout.archive([{ ...index, annotations }]));
    expect(images).toHaveLength(1);
    expect(images[0]).toMatchObject({ names: ["localhost/multi:2"], layers: 1 });
  });

  test.each([
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
  ])("layers and whole archives packed with %s", async (_name, compress) => {
    const plain = await layer(file("packed"));
    const layout = new OciLayout();
    const image = layout.addImage({ layers: [{ ...plain, blob: compress(plain.tar) }] });
    const [loaded] = await load(compress(await layout.archive([image])));
    expect(loaded?.sizeBytes).toBe(plain.tar.length);
    expect(await readFile(join(layerPath(plain), "packed"), "utf8")).toBe("packed");
  });

  test("a layer that is a link to another image's, as older docker save writes it", async () => {
    const base = await layer(file("shared"));
    const config = JSON.stringify({ rootfs: { diff_ids: [digestOf(base.tar)] } });
    const [loaded] = await load(
      await tar([
        { name: "one/layer.tar", content: base.tar },
        { name: "two/layer.tar", type: "symlink", linkname: "../one/layer.tar" },
        { name: "two.json", content: config },
        {
          name: "manifest.json",
          content: '[{"Config":"two.json","RepoTags":["two"],"Layers":["two/layer.tar"]}]',
        },
      ]),
    );
    expect(loaded?.names).toEqual(["docker.io/library/two:latest"]);
  });

  test("real busybox: owners, modes and links are kept, and it runs", async () => {
    const [image] = await load(await readFile(await busyboxArchive()));
    const [name = ""] = image ? store.lowerDirectories(image.id) : [];
    const rootfs = join(store.layersDirectory, name);
    const { stdout } = await runCommand(
      join(rootfs, "bin/busybox"),
      ["stat", "-c", "%a %u %F", join(rootfs, "bin/sh")],
      { timeoutMs: 5_000, spanName: "stat" },
    );
    expect(stdout).toBe("777 0 symbolic link");
  });
});

describe("refused", () => {
  const good: TestImage = { name: "app:1", layers: [] };

  async function corrupted(change: (layout: OciLayout, digest: string) => void): Promise<Buffer> {
    const layout = new OciLayout();
    const base = await layer(file("a"));
    const image = layout.addImage({ ...good, layers: [base] });
    change(layout, digestOf(base.tar));
    return await layout.archive([image]);
  }

  test("a blob whose bytes are not those of its digest", async () => {
    const other = await tar([file("b")]);
    const archive = await corrupted((layout, digest) => layout.corrupt(digest, other));
    await expect(load(archive)).rejects.toEqual(invalid);
    expect(store.list()).toEqual([]);
  });

  test("a layer whose bytes are not those of its diff id", async () => {
    const base = await layer(file("a"));
    const image = { ...good, layers: [{ ...base, blob: await tar([file("b")]) }] };
    await expect(load(await dockerArchive([image]))).rejects.toEqual(invalid);
    expect(store.list()).toEqual([]);
    expect(await readdir(store.layersDirectory)).toEqual(["empty"]);
  });

  test("a gzip stream that is cut off", async () => {
    const base = await layer(file("a", "x".repeat(100_000)));
    const image = { ...good, layers: [{ ...base, blob: gzipSync(base.tar).subarray(0, -20) }] };
    await expect(load(await dockerArchive([image]))).rejects.toEqual(invalid);
  });

  test("a layer that names files outside of it", async () => {
    const image = { ...good, layers: [await layer(file("../../escaped"))] };
    await expect(load(await dockerArchive([image]))).rejects.toEqual(invalid);
    expect(await readdir(root.path)).not.toContain("escaped");
  });

  test("a layer that writes through its own symbolic link changes nothing outside", async () => {
    const outside = join(root.path, "outside");
    await mkdir(outside);
    const link: TarEntry = { name: "link", type: "symlink", linkname: outside };
    const image = { ...good, layers: [await layer(link, file("link/file"))] };
    await expect(load(await dockerArchive([image]))).rejects.toEqual(invalid);
    expect(await readdir(outside)).toEqual([]);
  });

  test.each([
    ["no archive at all", Buffer.from("not a tar archive".repeat(100))],
    ["an empty file", Buffer.alloc(0)],
    ["a gzip stream of something else", gzipSync("not a tar archive".repeat(100))],
  ])("%s", async (_name, archive) => {
    await expect(load(archive)).rejects.toEqual(invalid);
  });

  test.each([
    ["neither manifest nor index", [file("something")]],
    ["a manifest that is no JSON", [file("manifest.json", "{")]],
    ["a manifest of another shape", [file("manifest.json", '{"a":1}')]],
    [
      "a manifest that names what is missing",
      [file("manifest.json", '[{"Config":"c","Layers":[]}]')],
    ],
  ])("%s", async (_name, entries) => {
    await expect(load(await tar(entries))).rejects.toEqual(invalid);
  });

  test("an archive that is cut off", async () => {
    const archive = await dockerArchive([{ ...good, layers: [await layer(file("a"))] }]);
    await expect(load(archive.subarray(0, 700))).rejects.toEqual(invalid);
  });

  test("an upload that is not complete, which stays", async () => {
    const uploadId = newOperationId();
    await store.uploads.append(uploadId, 0, Buffer.alloc(10));
    await expect(store.load(uploadId, 20)).rejects.toThrow("the host holds 10 of 20 bytes");
    expect(await store.uploads.append(uploadId, 10, Buffer.alloc(10))).toEqual({ length: 20 });
  });
});

describe("layers", () => {
  test("are shared, and loading again changes nothing", async () => {
    const base = await layer(file("base"));
    const one = { name: "one:1", layers: [base, await layer(file("one"))] };
    const two = { name: "two:1", layers: [base, await layer(file("two"))] };
    const archive = await dockerArchive([one]);
    const [first] = await load(archive);
    const inode = (await lstat(layerPath(base))).ino;
    await load(await dockerArchive([two]));
    expect(await load(archive)).toEqual([first]);
    expect(store.list()).toHaveLength(2);
    expect((await lstat(layerPath(base))).ino).toBe(inode);
    expect(
      (await readdir(store.layersDirectory)).filter((name) => !name.includes(".")),
    ).toHaveLength(4);
  });

  test("deleted files become devices 0/0, emptied directories opaque, and keep their attributes", async () => {
    const top = await layer(
      {
        name: "dir",
        type: "directory",
        mode: 0o1750,
        gid: 7,
        pax: { uid: "300000" },
        mtime: new Date(86_400_000),
      },
      file("dir/.wh.gone", ""),
      file("dir/kept"),
      { name: "opaque", type: "directory", mode: 0o700 },
      file("opaque/.wh..wh..opq", ""),
      file("opaque/new"),
      file(".wh.file", ""),
    );
    await load(await dockerArchive([{ name: "a", layers: [top] }]));
    const path = layerPath(top);
    for (const name of ["dir/gone", "file"]) {
      const stats = await lstat(join(path, name));
      expect([stats.isCharacterDevice(), stats.rdev]).toEqual([true, 0]);
    }
    const directory = await lstat(join(path, "dir"));
    expect(directory).toMatchObject({ uid: 300_000, gid: 7, mtimeMs: 86_400_000 });
    expect(directory.mode & 0o7777).toBe(0o1750);
    expect((await readdir(join(path, "dir"))).toSorted()).toEqual(["gone", "kept"]);
    expect(await readdir(join(path, "opaque"))).toEqual(["new"]);
    expect(await attributesOf(join(path, "opaque"))).toEqual(["trusted.overlay.opaque"]);
    expect(await attributesOf(join(path, "dir"))).toEqual([]);
  });

  test("a file both deleted and made anew in one layer is there; a directory hides what is below", async () => {
    const top = await layer(
      file(".wh.file", ""),
      file("file"),
      file(".wh.dir", ""),
      { name: "dir", type: "directory" },
      file("dir/new"),
    );
    await load(await dockerArchive([{ name: "a", layers: [top] }]));
    expect((await lstat(join(layerPath(top), "file"))).isFile()).toBe(true);
    expect(await attributesOf(join(layerPath(top), "dir"))).toEqual(["trusted.overlay.opaque"]);
  });

  test("extended attributes are kept byte for byte, those of the overlay are not taken from archives", async () => {
    // Bytes 7 and 8 of the value are no UTF-8.
    const value = Buffer.from("0100000280800000000000000000000000000000", "hex");
    const kept = paxRecord("SCHILY.xattr.security.capability", value);
    const foreign = paxRecord("SCHILY.xattr.trusted.overlay.opaque", Buffer.from("y"));
    const records = { name: "pax", content: Buffer.concat([kept, foreign]) };
    const top = await layer(records, file("made"));
    markAsPaxHeader(top.tar);
    await load(await dockerArchive([{ name: "a", layers: [top] }]));
    const made = join(layerPath(top), "made");
    expect(await attributesOf(made)).toEqual(["security.capability"]);
    expect((await packed(made)).includes(kept)).toBe(true);
  });
});

/** A record of an extended tar header: its own length, in digits, comes first. */
function paxRecord(name: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${name}=`), value, Buffer.from("\n")]);
  const digits = String(rest.length).length;
  const length = rest.length + digits;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** Makes a tar stream's first entry, a file, the extended header of the next. tar-stream takes only text as such. */
function markAsPaxHeader(archive: Buffer): void {
  const checksum = Number.parseInt(archive.toString("latin1", 148, 154), 8);
  const difference = "x".charCodeAt(0) - (archive[156] ?? 0);
  archive.write((checksum + difference).toString(8).padStart(6, "0"), 148, "latin1");
  archive.write("x", 156, "latin1");
}

/** Node cannot read extended attributes; tar can. */
async function packed(path: string): Promise<Buffer> {
  const archive = join(root.path, "packed.tar");
  const options = ["--create", "--no-recursion", "--xattrs", "--xattrs-include=*"];
  await runCommand("tar", [...options, "--file", archive, "--absolute-names", path], {
    timeoutMs: 5_000,
    spanName: "tar create",
  });
  return await readFile(archive);
}

async function attributesOf(path: string): Promise<string[]> {
  const found = (await packed(path)).toString("latin1").matchAll(/SCHILY\.xattr\.([a-z_.]+)=/g);
  return Array.from(found, ([, name = ""]) => name);
}

describe("names", () => {
  test("move to the image that was loaded last", async () => {
    const [old] = await load(
      await dockerArchive([{ name: "app:1", layers: [await layer(file("a"))] }]),
    );
    const [fresh] = await load(
      await dockerArchive([{ name: "app:1", layers: [await layer(file("b"))] }]),
    );
    expect(store.find("app:1")?.id).toBe(fresh?.id);
    expect(old && store.find(old.id)?.names).toEqual([]);
  });

  test("and images outlive the store", async () => {
    const [image] = await load(
      await dockerArchive([{ name: "app:1", layers: [await layer(file("a"))] }]),
    );
    store = await ImageStore.open(root.path, systemClock);
    expect(store.list()).toEqual([image]);
    expect(image && store.lowerDirectories(image.id)).toHaveLength(1);
  });
});

describe("uploads", () => {
  test("a chunk sent twice or too early changes nothing", async () => {
    const uploadId = newOperationId();
    const chunk = Buffer.from("0123456789");
    expect(await store.uploads.append(uploadId, 0, chunk)).toEqual({ length: 10 });
    expect(await store.uploads.append(uploadId, 0, chunk)).toEqual({ length: 10 });
    expect(await store.uploads.append(uploadId, 20, chunk)).toEqual({ length: 10 });
    const ahead = [10, 20, 30].map((offset) => store.uploads.append(uploadId, offset, chunk));
    expect((await Promise.all(ahead)).at(-1)).toEqual({ length: 40 });
  });

  test("a silent one is dropped at the next start", async () => {
    const uploadId = newOperationId();
    await store.uploads.append(uploadId, 0, Buffer.alloc(10));
    const long = (Date.now() - uploadSilenceMaxMs - 1_000) / 1000;
    await utimes(join(root.path, "uploads", uploadId), long, long);
    store = await ImageStore.open(root.path, systemClock);
    expect(await readdir(join(root.path, "uploads"))).toEqual([]);
  });

  test("are bounded", async () => {
    const sent = Array.from({ length: 17 }, async () => {
      return await store.uploads.append(newOperationId(), 0, Buffer.alloc(1));
    });
    const results = await Promise.allSettled(sent);
    expect(results.filter((result) => result.status === "rejected")).toEqual([
      { status: "rejected", reason: expect.toSatisfy((error) => hasCode(error, "UNAVAILABLE")) },
    ]);
  });
});
