import { expect, test } from "vitest";

import { entriesOfFile } from "./environment.ts";
import { parseDurationMs, parseSize, parseTime } from "./quantities.ts";

test.each([
  ["0", 0],
  ["1048576", 1_048_576],
  ["10b", 10],
  ["64k", 65_536],
  ["64KB", 65_536],
  ["1.5m", 1_572_864],
  ["2GiB", 2_147_483_648],
  ["1 g", 1_073_741_824],
])("size %s is %i bytes", (text, bytes) => {
  expect(parseSize("--memory", text)).toBe(bytes);
});

test.each(["", "-1", "1x", "k", "1e3", "99999999999999999p"])("size %j is refused", (text) => {
  expect(() => parseSize("--memory", text)).toThrow(`Cannot use --memory ${JSON.stringify(text)}`);
});

test.each([
  ["0", 0],
  ["30s", 30_000],
  ["500ms", 500],
  ["1h30m", 5_400_000],
  ["1.5s", 1_500],
  ["2m0.5s", 120_500],
])("duration %s is %i ms", (text, durationMs) => {
  expect(parseDurationMs("--health-interval", text)).toBe(durationMs);
});

test.each(["", "30", "1d", "s", "-5s", "1h 30m"])("duration %j is refused", (text) => {
  expect(() => parseDurationMs("--health-interval", text)).toThrow("must be a duration");
});

const nowMs = Date.parse("2026-11-23T12:00:00Z");

test.each([
  ["2026-11-23T11:00:00Z", "2026-11-23T11:00:00Z"],
  ["2026-11-23T11:00:00.123456789+01:00", "2026-11-23T11:00:00.123456789+01:00"],
  ["10m", "2026-11-23T11:50:00.000Z"],
  ["1h30m", "2026-11-23T10:30:00.000Z"],
  ["1795434000", "2026-11-23T11:40:00.000Z"],
  ["1795434000.5", "2026-11-23T11:40:00.500Z"],
  ["2026-11-23", new Date(2026, 10, 23).toISOString()],
  ["2026-11-23T08:30:00", new Date(2026, 10, 23, 8, 30).toISOString()],
])("time %s is %s", (text, time) => {
  expect(parseTime("--since", text, nowMs)).toBe(time);
});

test.each(["", "yesterday", "2026-13-01", "2026-11-23T25:00:00Z", "99999999999999999"])(
  "time %j is refused",
  (text) => {
    expect(() => parseTime("--since", text, nowMs)).toThrow("Cannot use --since");
  },
);

test("a file of entries has one a line, and comments", () => {
  expect(entriesOfFile("# about\nA=1\r\n\n  B= two \nC\n")).toEqual(["A=1", "B= two ", "C"]);
});
