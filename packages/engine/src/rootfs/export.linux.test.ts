import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import type { ContainerId } from "@podfleet/model/ids";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest } from "../test-engine.ts";
import { entriesOf, receive } from "./test-transfer.ts";

const run = promisify(execFile);

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

async function isMounted(id: ContainerId): Promise<boolean> {
  return (await under.engine.inspect(id)).paths.rootfs !== undefined;
}

const script = [
  "mkdir -p /data/dir; echo text > /data/file; chown 1000:50 /data/file; chmod 4750 /data/file",
  "ln /data/file /data/hard; ln -s /data/file /data/soft; touch -d '2001-02-03 04:05:06' /data/dir",
  "echo ready",
].join("; ");

test.each([
  ["running", `${script}; sleep 600`],
  ["exited", script],
])("M3 O125: the export of a container that is %s keeps all of a file", async (state, command) => {
  const id = await under.run(command);
  await under.printed(id, "ready");
  await under.inState(id, state === "running" ? "running" : "exited");
  const entries = await entriesOf(await receive(under, { kind: "export", containerId: id }));
  expect(entries.get("etc/passwd")?.content).toContain("app:x:1000");
  const file = entries.get("data/file");
  const hard = entries.get("data/hard");
  const [original, link] = file?.header.type === "file" ? [file, hard] : [hard, file];
  expect(original).toMatchObject({ content: "text\n" });
  expect(original?.header).toMatchObject({ mode: 0o4750, uid: 1000, gid: 50 });
  expect(link?.header).toMatchObject({ type: "link", linkname: original?.header.name });
  expect(entries.get("data/soft")?.header).toMatchObject({
    type: "symlink",
    linkname: "/data/file",
  });
  expect(entries.get("data/dir/")?.header.mtime?.toISOString()).toBe("2001-02-03T04:05:06.000Z");
  expect(await isMounted(id)).toBe(state === "running");
  expect(under.events(id).some(({ type }) => type === "container.export")).toBe(true);
});

test("M3: extended attributes are kept, of a container that never ran too", async () => {
  const id = await under.create();
  const { mount } = await under.do(id, { verb: "container.mount" });
  const path = join(mount?.path ?? "", "tmp/file");
  await writeFile(path, "x");
  // tar makes the attribute; Node cannot.
  const entry = [
    "--pax-option=SCHILY.xattr.user.note:=kept",
    "--format=posix",
    "-C",
    join(path, ".."),
  ];
  const archive = join(under.options.dataRoot, "note.tar");
  await run("tar", ["-cf", archive, ...entry, "file"]);
  await run("tar", ["-xf", archive, "--xattrs", "--xattrs-include=*", "-C", join(path, "..")]);
  await under.do(id, { verb: "container.unmount", force: false });
  const entries = await entriesOf(await receive(under, { kind: "export", containerId: id }));
  expect(entries.get("tmp/file")?.header.pax).toMatchObject({ "SCHILY.xattr.user.note": "kept" });
});

test("M4: an export that is cut off leaves nothing behind", async () => {
  const id = await under.create();
  const { transferId } = await under.engine.openTransfer({ kind: "export", containerId: id });
  const range = { offset: 0, bytesMax: 1024 };
  await under.engine.readTransfer(transferId, range, new AbortController().signal);
  expect(await isMounted(id)).toBe(true);
  await under.engine.closeTransfer(transferId);
  expect(await isMounted(id)).toBe(false);
  await waitFor(async () => (await processesOf(id)).length === 0, { what: "tar to end" });
});

/** Processes that have the container's root filesystem mounted in a namespace of their own, or run in it. */
async function processesOf(id: ContainerId): Promise<string[]> {
  const { stdout } = await run("sh", [
    "-c",
    `grep -l ${id}/rootfs /proc/[0-9]*/mountinfo 2>/dev/null || true`,
  ]);
  return stdout.split("\n").filter(Boolean);
}

test("two exports at once, and one of a container that stops meanwhile, are whole", async () => {
  const id = await under.run("sleep 600");
  const request = { kind: "export", containerId: id } as const;
  const { transferId } = await under.engine.openTransfer(request);
  const other = receive(under, request);
  await under.stop(id, 0);
  expect((await entriesOf(await other)).has("etc/passwd")).toBe(true);
  await under.engine.closeTransfer(transferId);
  expect(await isMounted(id)).toBe(false);
  const table = await readFile("/proc/self/mountinfo", "utf8");
  expect(table).not.toContain(id);
});
