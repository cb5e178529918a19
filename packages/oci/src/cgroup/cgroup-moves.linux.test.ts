import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, expect, test } from "vitest";

import { CgroupMoves, findOwnCgroup } from "./cgroup-moves.ts";
import { readCgroupHierarchies } from "./cgroup.ts";

const directory = mkdtempSync(join(tmpdir(), "podfleet-moves-"));
afterAll(() => rmSync(directory, { recursive: true }));

const ownCgroups = (): string => readFileSync("/proc/self/cgroup", "latin1");

test("an agent that moves to where it is stays there", async () => {
  const before = ownCgroups();
  const cgroups = await readCgroupHierarchies();
  const procs = findOwnCgroup(cgroups, before);
  if (procs === undefined) throw new Error("The test is in no cgroup");
  writeFileSync(procs, "0");
  expect(ownCgroups()).toBe(before);
});

test("moves are made again and again while any is expected, and again later", async () => {
  const hierarchy = { directory, controllers: [] };
  const cgroups = { mode: "v2", legacy: [], unified: hierarchy } as const;
  // In place of the cgroup's own file, one that keeps what is written.
  const procs = findOwnCgroup(cgroups, ownCgroups());
  if (procs === undefined) throw new Error("The test is in no cgroup");
  mkdirSync(dirname(procs), { recursive: true });
  writeFileSync(procs, "");
  const moves = new CgroupMoves(cgroups);
  const goesOn = async (): Promise<void> => {
    const { size } = statSync(procs);
    await waitFor(() => statSync(procs).size > size + 1, { what: "two more moves", intervalMs: 1 });
  };
  {
    using _outer = moves.expect();
    {
      using _inner = moves.expect();
      await goesOn();
    }
    await goesOn();
  }
  // The file is opened anew, and so begins anew, once the moves before have ended.
  const again = async (): Promise<boolean> => {
    using _later = moves.expect();
    await waitFor(() => statSync(procs).size > 0, { what: "a move", intervalMs: 1 });
    return statSync(procs).size < 3;
  };
  await waitFor(again, { what: "moves from the beginning" });
  expect(readFileSync(procs, "latin1")).toMatch(/^0+$/);
});
