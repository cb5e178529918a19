import { expect, test } from "vitest";

import { parseBoundingSet, parseHardLimits } from "./host-limits.ts";

test("the bounding set is read from its mask", () => {
  const status = "Name:\tnode\nCapPrm:\tffffffffffffffff\nCapBnd:\t0000000001000021\n";
  expect(parseBoundingSet(status)).toEqual(["CHOWN", "KILL", "SYS_RESOURCE"]);
});

test("hard limits are read, unlimited ones left out", () => {
  const limits = `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            1024                 20000                files
Max realtime priority     0                    0
`;
  expect(parseHardLimits(limits)).toEqual({ nofile: 20_000, rtprio: 0 });
});
