import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";

import { createTempRoot } from "@podfleet/testkit/temp-root";
import { expect, test } from "vitest";

import { resolveInRootfs } from "./rootfs-path.ts";

test.each([
  ["a plain path", "/etc/passwd", "/etc/passwd"],
  ["dots", "/etc/./../etc/../../../etc/passwd", "/etc/passwd"],
  ["an absolute link stays inside", "/absolute/passwd", "/etc/passwd"],
  ["a link that climbs stays inside", "/climbing/passwd", "/etc/passwd"],
  ["a relative link", "/usr/relative", "/usr/target"],
  ["a link to a link", "/chain", "/etc"],
  ["what does not exist", "/absent/absolute/x", "/absent/absolute/x"],
])("%s", async (_name, path, expected) => {
  await using root = await createTempRoot("rootfs-path");
  await mkdir(join(root.path, "etc"));
  await mkdir(join(root.path, "usr"));
  await symlink("/etc", join(root.path, "absolute"));
  await symlink("../../../../../../etc", join(root.path, "climbing"));
  await symlink("target", join(root.path, "usr/relative"));
  await symlink("absolute", join(root.path, "chain"));
  expect(await resolveInRootfs(root.path, path)).toBe(join(root.path, expected));
});

test("links in a circle end with an error", async () => {
  await using root = await createTempRoot("rootfs-path");
  await symlink("b", join(root.path, "a"));
  await symlink("a", join(root.path, "b"));
  await expect(resolveInRootfs(root.path, "/a/x")).rejects.toThrow("too many symbolic links");
});
