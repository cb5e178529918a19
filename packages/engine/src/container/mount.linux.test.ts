import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { ContainerId } from "@podfleet/model/ids";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest, failureOf } from "../test-engine.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const mount = { verb: "container.mount" } as const;
const unmount = { verb: "container.unmount", force: false } as const;

async function isMounted(id: ContainerId): Promise<boolean> {
  return (await under.engine.inspect(id)).paths.rootfs !== undefined;
}

test("M1: a mount is counted, and taken back as often", async () => {
  const id = await under.create();
  const first = await under.do(id, mount);
  expect(first.mount?.count).toBe(1);
  const path = first.mount?.path ?? "";
  expect(await readFile(join(path, "etc/passwd"), "utf8")).toContain("app:x:1000");
  expect((await under.do(id, mount)).mount).toEqual({ path, count: 2 });
  expect((await under.do(id, unmount)).mount).toEqual({ path, count: 1 });
  expect(await isMounted(id)).toBe(true);
  expect(await under.do(id, unmount)).not.toHaveProperty("mount");
  expect(await isMounted(id)).toBe(false);
  expect(failureOf(await under.perform(id, unmount)).code).toBe("NOT_MOUNTED");
  expect(under.events(id).map(({ type }) => type)).toEqual([
    "container.create",
    ...["container.mount", "container.mount", "container.unmount", "container.unmount"],
    "operation.finished",
  ]);
});

test("M2: the mount of a running container's own process is the last and stays", async () => {
  const id = await under.run("sleep 600");
  for (const force of [false, true]) {
    const refused = failureOf(await under.perform(id, { ...unmount, force }));
    expect(refused.code).toBe("STATE_INVALID");
    expect(refused.message).toContain('state is "running"');
  }
  await under.do(id, mount);
  await under.do(id, mount);
  expect((await under.do(id, { ...unmount, force: true })).mount?.count).toBe(1);
  await under.stop(id, 0);
  expect(await isMounted(id)).toBe(true);
  await under.do(id, mount);
  await under.do(id, { ...unmount, force: true });
  expect(await isMounted(id)).toBe(false);
});

test("O142: an exited container's changed file is seen through its mount, which goes with it", async () => {
  const id = await under.run("echo changed > /tmp/file");
  await under.exited(id);
  const { mount: at } = await under.do(id, mount);
  expect(await readFile(join(at?.path ?? "", "tmp/file"), "utf8")).toBe("changed\n");
  await under.do(id, { verb: "container.remove", force: false, dependents: false });
  expect(existsSync(at?.path ?? "")).toBe(false);
});

test("O133: after a stop and a clean-up nothing of the container is mounted", async () => {
  const id = await under.run("sleep 600");
  await under.do(id, mount);
  await under.stop(id, 0);
  expect(await readFile("/proc/self/mountinfo", "utf8")).toContain(id);
  const cleaned = await under.do(id, { verb: "container.cleanup" });
  expect(cleaned).not.toHaveProperty("mount");
  expect(await readFile("/proc/self/mountinfo", "utf8")).not.toContain(id);
});

test("C1: clean-up unmounts what users have mounted; a new engine keeps it", async () => {
  const id = await under.create();
  await under.do(id, mount);
  await under.reopen();
  expect(await isMounted(id)).toBe(true);
  const cleaned = await under.do(id, { verb: "container.cleanup" });
  expect(cleaned).not.toHaveProperty("mount");
  expect(await isMounted(id)).toBe(false);
});
