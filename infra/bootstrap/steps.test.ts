import { expect, test } from "vitest";

import { progressBar } from "./steps.mjs";

test.each([
  [0, "[....................]   0 %"],
  [50, "[##########..........]  50 %"],
  [100, "[####################] 100 %"],
  [140, "[####################] 100 %"],
])("progress of %i percent", (percent, bar) => {
  expect(progressBar(percent)).toBe(bar);
});
