import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { eventually } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

import { JournalFollower } from "./follower.ts";

const headroom = 18;
const readBytesMax = 256 * 1024;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "podfleet-follower-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** One record that takes so many bytes of the journal. */
function record(bytes: number): string {
  const head = "2026-11-23T17:33:49.123456789+00:00 stdout F ";
  return `${head}${"x".repeat(bytes - head.length - 1)}\n`;
}

function follow(path: string, onGrowth: () => void = () => undefined): JournalFollower {
  return new JournalFollower(path, { offset: 0, headroom, keptFrom: () => 0, onGrowth });
}

test("a reader that has come to its limit with a full read is not behind", async () => {
  const path = join(folder, "full");
  await writeFile(path, record(1_024).repeat((2 * readBytesMax) / 1_024));
  const follower = follow(path);
  follower.readSoon(Number.POSITIVE_INFINITY);
  expect(follower.isBehind).toBe(true);
  const limit = follower.offset + readBytesMax;
  await follower.readBehind(() => limit);
  expect(follower).toMatchObject({ offset: limit, isBehind: true });
  expect(await follower.readBehind(() => limit)).toEqual([]);
  expect(follower.isBehind).toBe(false);
  expect(follower.readSoon(Number.POSITIVE_INFINITY)).not.toEqual([]);
  expect(follower.isBehind).toBe(true);
  follower.close();
});

test("growth is told to a reader that has come to the end, and not to one that has not", async () => {
  const path = join(folder, "growing");
  await writeFile(path, record(1_024).repeat(100));
  const onGrowth = vi.fn<() => void>();
  const follower = follow(path, onGrowth);
  follower.readSoon(2_048);
  await appendFile(path, record(1_024));
  await appendFile(path, record(1_024));
  expect(onGrowth).not.toHaveBeenCalled();
  while (follower.offset < 102 * 1_024) follower.readSoon(Number.POSITIVE_INFINITY);
  expect(follower.readSoon(Number.POSITIVE_INFINITY)).toEqual([]);
  await eventually(() => expect(onGrowth).toHaveBeenCalled());
  onGrowth.mockClear();
  await appendFile(path, record(1_024));
  await eventually(() => expect(onGrowth).toHaveBeenCalled());
  expect(follower.readSoon(Number.POSITIVE_INFINITY)).toHaveLength(1);
  follower.close();
});
