import { expect, test } from "vitest";

import { humanMemory, humanSize, preciseDuration, shortAge } from "./quantity.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [2_137_088, "2.14 MB"],
  [100_000_000, "100 MB"],
  [1_500_000_000, "1.5 GB"],
])("%i bytes are %s of an image", (bytes, text) => {
  expect(humanSize(bytes)).toBe(text);
});

test.each([
  [0, "0 B"],
  [67_108_864, "64 MiB"],
  [1_610_612_736, "1.5 GiB"],
])("%i bytes are %s of memory", (bytes, text) => {
  expect(humanMemory(bytes)).toBe(text);
});

test.each([
  [0.0421, "42µs"],
  [9.942, "9.94ms"],
  [134.2, "134ms"],
  [1250, "1.25s"],
])("%d ms took %s", (durationMs, text) => {
  expect(preciseDuration(durationMs)).toBe(text);
});

test.each([
  [12 * second, "12s"],
  [3 * minute, "3m"],
  [30 * hour, "30h"],
  [3 * day, "3d"],
])("%i ms ago is %s", (ageMs, text) => {
  expect(shortAge(new Date(0).toISOString(), ageMs)).toBe(text);
});
