import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { newOperationId } from "@podfleet/model/ids";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { EngineUnderTest, failureOf } from "../test-engine.ts";
import { archiveOf, entriesOf, receive, send } from "./test-transfer.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

describe("out of a container", () => {
  const script = [
    "mkdir -p /data/below; echo one > /data/one; echo two > /data/below/two",
    "ln -s /data /link; ln -s ../../../../../../etc/passwd /escape; ln -s . /data/loop; ln -s nothing /dangling",
    "echo ready; sleep 600",
  ].join("; ");

  test("entries begin with the path's last part, a directory's contents with a dot", async () => {
    const containerId = await under.run(script);
    await under.printed(containerId, "ready");
    const namesOf = async (path: string): Promise<string[]> => {
      const archive = await receive(under, { kind: "copy", containerId, path });
      return [...(await entriesOf(archive)).keys()].toSorted();
    };
    expect(await namesOf("/data/one")).toEqual(["one"]);
    expect(await namesOf("/data")).toEqual([
      ...["data/", "data/below/", "data/below/two", "data/loop", "data/one"],
    ]);
    expect(await namesOf("/link/.")).toEqual(["./", "./below/", "./below/two", "./loop", "./one"]);
    expect(await namesOf("/link/below/")).toEqual(["below/", "below/two"]);
    expect(await namesOf("/")).toContain("./etc/passwd");
  });

  test("a path is followed inside only", async () => {
    const containerId = await under.run(script);
    await under.printed(containerId, "ready");
    const path = "/escape";
    const entries = await entriesOf(await receive(under, { kind: "copy", containerId, path }));
    expect(entries.get("escape")?.content).toContain("app:x:1000");
    expect(await under.engine.statPath({ containerId, path })).toMatchObject({
      path: "/etc/passwd",
      kind: "file",
    });
    expect(await under.engine.statPath({ containerId, path: "/data/loop/loop/one" })).toMatchObject(
      {
        path: "/data/one",
      },
    );
    expect(await under.engine.statPath({ containerId, path: "/link/" })).toMatchObject({
      path: "/data",
      kind: "directory",
    });
    expect(await under.engine.statPath({ containerId, path: "/dangling" })).toBeUndefined();
  });

  test("what is not there is not found", async () => {
    const containerId = await under.create();
    const request = { kind: "copy", containerId, path: "/etc/passwd/none" } as const;
    await expect(receive(under, request)).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
    expect((await under.engine.inspect(containerId)).paths.rootfs).toBeUndefined();
  });
});

describe("into a container", () => {
  test("an archive is unpacked as it is, plain or compressed, in any state", async () => {
    const id = await under.create();
    const archive = await archiveOf({ "new/file": { uid: 1000, gid: 50, mode: 0o640 } });
    for (const bytes of [archive, gzipSync(archive)]) {
      const outcome = await send(under, id, { verb: "container.copy", path: "/home/app", bytes });
      expect(outcome.status).toBe("succeeded");
    }
    const { mount } = await under.do(id, { verb: "container.mount" });
    const { uid, gid, mode } = await stat(join(mount?.path ?? "", "home/app/new/file"));
    expect({ uid, gid, mode: mode & 0o7777 }).toEqual({ uid: 1000, gid: 50, mode: 0o640 });
    expect(under.events(id).find(({ type }) => type === "container.copy")?.attributes).toEqual({
      path: "/home/app",
    });
  });

  test("a running container sees it", async () => {
    const id = await under.run("while ! cat /tmp/in 2> /dev/null; do sleep 0.05; done");
    const bytes = await archiveOf({ in: "from outside\n" });
    const outcome = await send(under, id, { verb: "container.copy", path: "/tmp", bytes });
    expect(outcome.status).toBe("succeeded");
    await under.printed(id, "from outside");
  });

  test("nothing leads out: neither links in the container nor names and links in the archive", async () => {
    const marker = `podfleet-${newOperationId()}`;
    const links = "ln -s /tmp /dir/out; ln -s ../../../../../../../../tmp /dir/up";
    const id = await under.run(`mkdir /dir; ${links}`);
    await under.exited(id);
    const hostile = [
      { [`out/${marker}`]: "x" },
      { [`up/${marker}`]: "x" },
      { [`../../../../../../../../tmp/${marker}`]: "x" },
      { link: { type: "symlink", linkname: "/tmp" }, [`link/${marker}`]: "x" },
      { hard: { type: "link", linkname: "/etc/hostname" } },
    ] as const;
    for (const files of hostile) {
      const bytes = await archiveOf(files);
      const outcome = await send(under, id, { verb: "container.copy", path: "/dir", bytes });
      expect(failureOf(outcome).code, JSON.stringify(files)).toBe("STORAGE_FAILED");
      expect(existsSync(join("/tmp", marker))).toBe(false);
    }
  });

  test.each([
    ["a path that is not there", "/nowhere", "PATH_NOT_FOUND"],
    ["a file", "/etc/passwd", "INVALID_INPUT"],
  ])("%s is refused", async (_name, path, code) => {
    const id = await under.create();
    const bytes = await archiveOf({ file: "x" });
    const failure = failureOf(await send(under, id, { verb: "container.copy", path, bytes }));
    expect(failure.code).toBe(code);
  });

  test("what is no archive, and an upload that is not complete, are refused", async () => {
    const id = await under.create();
    const copy = { verb: "container.copy", path: "/tmp" } as const;
    const junk = await send(under, id, { ...copy, bytes: Buffer.alloc(4096, "junk") });
    expect(failureOf(junk).code).toBe("INVALID_INPUT");
    const missing = { ...copy, uploadId: newOperationId(), sizeBytes: 10 };
    expect(failureOf(await under.perform(id, missing)).code).toBe("INVALID_INPUT");
  });
});

test("what came out goes in again", async () => {
  const from = await under.run("mkdir /data; seq 1 100000 > /data/numbers; sleep 0");
  await under.exited(from);
  const bytes = await receive(under, { kind: "copy", containerId: from, path: "/data" });
  const to = await under.create();
  await send(under, to, { verb: "container.copy", path: "/", bytes });
  const { mount } = await under.do(to, { verb: "container.mount" });
  const numbers = await readFile(join(mount?.path ?? "", "data/numbers"), "utf8");
  expect(numbers.endsWith("\n99999\n100000\n")).toBe(true);
});
