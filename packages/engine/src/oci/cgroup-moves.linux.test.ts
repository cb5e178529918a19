import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { CgroupMoves } from "./cgroup-moves.ts";
import { readCgroupHierarchies } from "./cgroup.ts";

const ownCgroups = (): string => readFileSync("/proc/self/cgroup", "latin1");

test("who expects moves stays where it is, whether they overlap or follow each other", async () => {
  const before = ownCgroups();
  const moves = new CgroupMoves(await readCgroupHierarchies());
  {
    using outer = moves.expect();
    await outer.ready;
    using inner = moves.expect();
    await inner.ready;
  }
  using later = moves.expect();
  await later.ready;
  expect(ownCgroups()).toBe(before);
});
