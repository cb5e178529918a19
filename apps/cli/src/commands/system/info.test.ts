import type { LoopStatus } from "@podfleet/model/loop-status";
import { expect, test } from "vitest";

import { describeLoops } from "./info.ts";

const at = "2026-01-01T00:00:00.000Z";

function loop(name: string, changes: Partial<LoopStatus> = {}): LoopStatus {
  return { name, runs: 1, failures: 0, overdueMs: 0, ...changes };
}

test("names the loops that fail or are late, and whose they are", () => {
  const lastError = { at, message: "database or disk is full" };
  const line = describeLoops({
    controlPlane: [loop("settle"), loop("prune", { overdueMs: 61_000 })],
    hosts: [{ name: "host-1", loops: [loop("session-keeper", { failures: 2, lastError })] }],
  });
  expect(line).toBe(
    "prune of control plane is 61 s late; session-keeper of host-1 fails (database or disk is full)",
  );
});

test("is short when nothing is wrong", () => {
  expect(describeLoops({ controlPlane: [loop("settle")], hosts: [] })).toBe("runs");
});
