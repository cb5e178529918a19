import {
  link as hardlink,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";

import { extract, type Header, pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { findLocal, openLocal, unpackLocal } from "./local-files.ts";
import { mapEntries } from "./map-entries.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "podfleet-cp-"));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

async function headersOf(archive: AsyncIterable<Uint8Array>): Promise<Header[]> {
  const entries = extract();
  Readable.from(archive).pipe(entries);
  const headers: Header[] = [];
  for await (const entry of entries) {
    headers.push(entry.header);
    entry.resume();
  }
  return headers;
}

async function namesOf(archive: AsyncIterable<Uint8Array>): Promise<string[]> {
  return (await headersOf(archive)).map(({ name }) => name).toSorted();
}

async function makeTree(): Promise<string> {
  const tree = join(root, "tree");
  await mkdir(join(tree, "below"), { recursive: true });
  await writeFile(join(tree, "one"), "1");
  await writeFile(join(tree, "below", "two".repeat(60)), "2");
  await symlink("one", join(tree, "link"));
  await hardlink(join(tree, "one"), join(tree, "same"));
  return tree;
}

const long = "two".repeat(60);

describe("an archive of this machine's files", () => {
  test("begins with the last part of the path", async () => {
    const tree = await makeTree();
    const { archive, ...opened } = await openLocal(tree);
    expect(opened).toEqual({ kind: "directory", name: "tree", root: "./tree" });
    const changes = { from: "./tree", to: "new", ownedByRoot: true };
    const headers = await headersOf(mapEntries(archive, changes));
    expect(headers.map(({ name }) => name).toSorted()).toEqual([
      ...["new/", "new/below/", `new/below/${long}`, "new/link", "new/one", "new/same"],
    ]);
    expect(headers.every(({ uid, gid }) => uid === 0 && gid === 0)).toBe(true);
  });

  test("of a directory's contents begins with a dot", async () => {
    const { archive, ...opened } = await openLocal(`${await makeTree()}/.`);
    expect(opened).toEqual({ kind: "directory", name: ".", root: "." });
    const names = await namesOf(mapEntries(archive, { from: ".", to: ".", ownedByRoot: true }));
    expect(names).toContain("./one");
  });

  test("follows a link that is the path itself, and keeps its name", async () => {
    const tree = await makeTree();
    const { archive, ...opened } = await openLocal(join(tree, "link"));
    expect(opened).toEqual({ kind: "file", name: "link", root: "./one" });
    const names = await namesOf(
      mapEntries(archive, { from: "./one", to: "link", ownedByRoot: true }),
    );
    expect(names).toEqual(["link"]);
  });

  test("of what is not there is refused", async () => {
    await expect(openLocal(join(root, "none"))).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
  });
});

describe("unpacking on this machine", () => {
  test("gives back what was packed", async () => {
    const { archive } = await openLocal(`${await makeTree()}/.`);
    const directory = join(root, "out");
    await mkdir(directory);
    const mapped = mapEntries(archive, { from: ".", to: "copy", ownedByRoot: true });
    await unpackLocal(mapped, { directory, keepOwners: true });
    expect((await readdir(join(directory, "copy"))).toSorted()).toEqual([
      ...["below", "link", "one", "same"],
    ]);
    expect(await readFile(join(directory, "copy/same"), "utf8")).toBe("1");
    expect(await readFile(join(directory, "copy/below", long), "utf8")).toBe("2");
    expect((await lstat(join(directory, "copy/link"))).isSymbolicLink()).toBe(true);
    expect(await findLocal(join(directory, "copy"))).toMatchObject({ found: "directory" });
  });

  test("takes bytes as fetch gives them", async () => {
    const archive = pack();
    archive.entry({ name: "file" }, "x");
    archive.finalize();
    const plain = (async function* () {
      for await (const chunk of archive) yield new Uint8Array(chunk as Buffer);
    })();
    await unpackLocal(plain, { directory: root, keepOwners: false });
    expect(await readFile(join(root, "file"), "utf8")).toBe("x");
  });

  test("writes nothing outside of the directory", async () => {
    const directory = join(root, "out");
    await mkdir(directory);
    const archive = pack();
    archive.entry({ name: "link", type: "symlink", linkname: root });
    archive.entry({ name: "link/escaped" }, "x");
    archive.entry({ name: "../escaped" }, "x");
    archive.finalize();
    const chunks = Readable.from(archive) as AsyncIterable<Uint8Array>;
    await expect(unpackLocal(chunks, { directory, keepOwners: false })).rejects.toThrow(
      "absolute linkpath",
    );
    expect(await readdir(root)).toEqual(["out"]);
  });

  test("fails when the archive breaks off", async () => {
    const broken = (async function* () {
      yield Buffer.alloc(100);
      throw new Error("the connection broke off");
    })();
    const mapped = mapEntries(broken, { from: "a", to: "b", ownedByRoot: false });
    await expect(unpackLocal(mapped, { directory: root, keepOwners: false })).rejects.toThrow(
      "the connection broke off",
    );
  });
});
