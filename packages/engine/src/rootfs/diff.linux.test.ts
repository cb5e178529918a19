import type { FileChange } from "@podfleet/model/file";
import type { ContainerId } from "@podfleet/model/ids";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest } from "../test-engine.ts";
import { receive } from "./test-transfer.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

async function diff(containerId: ContainerId): Promise<string[]> {
  const lines = (await receive(under, { kind: "diff", containerId })).toString().split("\n");
  return lines
    .filter(Boolean)
    .map((line) => JSON.parse(line) as FileChange)
    .map(({ kind, path }) => `${kind} ${path}`);
}

test("a container that never ran has no changes", async () => {
  expect(await diff(await under.create())).toEqual([]);
});

test("added, changed and deleted, also in a directory that was made anew", async () => {
  const script = [
    "mkdir /new /new/dir; echo x > /new/dir/file; echo x >> /etc/passwd; rm /etc/group",
    "rm -r /home; mkdir -p /home/other; rm -r /var; echo > /var; echo > /tmp/gone; rm /tmp/gone",
    "echo ready; sleep 600",
  ].join("; ");
  const id = await under.run(script);
  await under.printed(id, "ready");
  const expected = [
    ...["C /etc", "D /etc/group", "C /etc/passwd"],
    ...["C /home", "D /home/app", "A /home/other"],
    ...["A /new", "A /new/dir", "A /new/dir/file", "C /tmp", "C /var"],
  ];
  expect(await diff(id)).toEqual(expected);
  await under.stop(id, 0);
  expect(await diff(id)).toEqual(expected);
  expect((await under.engine.inspect(id)).paths.rootfs).toBeUndefined();
});
