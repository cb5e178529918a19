import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createTempRoot } from "@podfleet/testkit/temp-root";
import { expect, test } from "vitest";

import { hasOlderPrograms } from "./older-programs.ts";

test("an image has older programs when it has their loader", async () => {
  await using root = await createTempRoot("seccomp");
  await mkdir(join(root.path, "usr/lib/i386-linux-gnu"), { recursive: true });
  await symlink("usr/lib", join(root.path, "lib"));
  expect(await hasOlderPrograms(root.path, "x64")).toBe(false);
  await symlink("i386-linux-gnu/ld-linux.so.2", join(root.path, "usr/lib/ld-linux.so.2"));
  expect(await hasOlderPrograms(root.path, "x64")).toBe(false);
  await writeFile(join(root.path, "usr/lib/i386-linux-gnu/ld-linux.so.2"), "");
  expect(await hasOlderPrograms(root.path, "x64")).toBe(true);
  expect(await hasOlderPrograms(root.path, "arm64")).toBe(false);
});
