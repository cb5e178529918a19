import { expect, test } from "vitest";

import { changeResources, reservationOf } from "./resources.ts";

test("a change sets, leaves and takes away", () => {
  const before = { cpus: 1, memoryBytes: 2 ** 27, pidsLimit: 50 };
  const after = changeResources(before, { cpus: 2.5, memoryBytes: null });
  expect(after).toEqual({ cpus: 2.5, pidsLimit: 50 });
  expect(reservationOf(after)).toEqual({ cpuMillis: 2_500, memoryBytes: 0 });
});
