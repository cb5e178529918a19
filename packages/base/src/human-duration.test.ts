import { expect, test } from "vitest";

import { humanDuration } from "./human-duration.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

test.each([
  [400, "Less than a second"],
  [second, "1 second"],
  [59 * second, "59 seconds"],
  [minute, "About a minute"],
  [3 * minute, "3 minutes"],
  [59 * minute, "59 minutes"],
  [hour, "About an hour"],
  [1.6 * hour, "2 hours"],
  [47 * hour, "47 hours"],
  [3 * day, "3 days"],
  [15 * day, "2 weeks"],
  [70 * day, "2 months"],
  [800 * day, "2 years"],
])("%i ms are %s", (durationMs, text) => {
  expect(humanDuration(durationMs)).toBe(text);
});
