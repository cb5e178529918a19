import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createTempRoot } from "@podfleet/testkit/temp-root";
import fc from "fast-check";
import { expect, test } from "vitest";

import { locateJournal } from "./locate.ts";

interface Written {
  readonly stream: "stdout" | "stderr";
  readonly endsLine: boolean;
  readonly payload: string;
}

/** The records' lines, the first at second 0, one a second. */
function journalOf(records: readonly Written[]): string[] {
  return records.map(({ stream, endsLine, payload }, second) => {
    const time = new Date(second * 1000).toISOString().replace("Z", "000001+00:00");
    return `${time} ${stream} ${endsLine ? "F" : "P"} ${payload}\n`;
  });
}

function offsetsOf(lines: readonly string[]): number[] {
  const offsets = [0];
  for (const line of lines) offsets.push((offsets.at(-1) ?? 0) + Buffer.byteLength(line));
  return offsets;
}

function line(payload: string, stream: Written["stream"] = "stdout"): Written {
  return { stream, endsLine: true, payload };
}

function part(payload: string, stream: Written["stream"] = "stdout"): Written {
  return { stream, endsLine: false, payload };
}

test.each<[string, Written[], number, number]>([
  ["none of three", [line("a"), line("b"), line("c")], 0, 3],
  ["one of three", [line("a"), line("b"), line("c")], 1, 2],
  ["two of three", [line("a"), line("b"), line("c")], 2, 1],
  ["more than there are", [line("a"), line("b")], 5, 0],
  ["a line of several parts", [line("a"), part("b"), part("b"), line("b"), line("c")], 2, 1],
  ["an unfinished last line", [line("a"), part("b"), part("b")], 1, 1],
  ["streams in turn", [line("a"), line("b", "stderr"), line("c"), line("d", "stderr")], 2, 2],
  ["both unfinished", [line("a"), part("b"), part("c", "stderr")], 2, 1],
])("tail: %s", async (_name, records, tail, expected) => {
  await using root = await createTempRoot("locate");
  const path = join(root.path, "journal");
  const lines = journalOf(records);
  await writeFile(path, lines.join(""));
  expect(await locateJournal(path, { tail })).toBe(offsetsOf(lines)[expected]);
});

test("a record that is still being written does not count", async () => {
  await using root = await createTempRoot("locate");
  const path = join(root.path, "journal");
  const lines = journalOf([line("a"), line("b")]);
  await writeFile(path, `${lines.join("")}1970-01-01T00:00:09Z stdout F cut o`);
  expect(await locateJournal(path, { tail: 1 })).toBe(offsetsOf(lines)[1]);
  expect(await locateJournal(path, { tail: 0 })).toBe(offsetsOf(lines)[2]);
  expect(await locateJournal(path, { since: "1970-01-01T01:00:00Z" })).toBe(offsetsOf(lines)[2]);
});

test("no journal begins at 0", async () => {
  await using root = await createTempRoot("locate");
  const path = join(root.path, "none");
  expect(await locateJournal(path, { tail: 3 })).toBe(0);
  expect(await locateJournal(path, { since: "2026-01-01T00:00:00Z" })).toBe(0);
});

test.each([
  ["before all", "1969-12-31T23:59:59Z", 0],
  ["at a record to the nanosecond", "1970-01-01T00:00:02.000000001Z", 2],
  ["a nanosecond after it", "1970-01-01T00:00:02.000000002Z", 3],
  ["in another time zone", "1970-01-01T01:00:01.5+01:00", 2],
  ["after all", "1971-01-01T00:00:00Z", 4],
])("since: %s", async (_name, since, expected) => {
  await using root = await createTempRoot("locate");
  const path = join(root.path, "journal");
  const lines = journalOf(["a", "b", "c", "d"].map((payload) => line(payload)));
  await writeFile(path, lines.join(""));
  expect(await locateJournal(path, { since })).toBe(offsetsOf(lines)[expected]);
});

test("both: the later one", async () => {
  await using root = await createTempRoot("locate");
  const path = join(root.path, "journal");
  const lines = journalOf(["a", "b", "c", "d"].map((payload) => line(payload)));
  await writeFile(path, lines.join(""));
  const since = "1970-01-01T00:00:01Z";
  expect(await locateJournal(path, { since, tail: 1 })).toBe(offsetsOf(lines)[3]);
  expect(await locateJournal(path, { since, tail: 9 })).toBe(offsetsOf(lines)[1]);
});

test("a long journal gives the same answers as a walk through all of it", async () => {
  await using root = await createTempRoot("locate");
  const path = join(root.path, "journal");
  const sizes = fc.sample(fc.integer({ min: 0, max: 8192 }), { numRuns: 400, seed: 7 });
  const lines = journalOf(sizes.map((size) => line("x".repeat(size))));
  const offsets = offsetsOf(lines);
  await writeFile(path, lines.join(""));
  expect(offsets.at(-1)).toBeGreaterThan(1024 * 1024);
  for (const index of [0, 1, 57, 133, 199, 200, 201, 398, 399, 400]) {
    const since = new Date(index * 1000).toISOString();
    expect(await locateJournal(path, { since })).toBe(offsets[index]);
    expect(await locateJournal(path, { tail: 400 - index })).toBe(offsets[index]);
  }
});
