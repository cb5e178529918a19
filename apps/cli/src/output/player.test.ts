import type { Clock } from "@podfleet/base/clock";
import type { LogRecord } from "@podfleet/client/logs";
import { expect, test } from "vitest";

import { LogWriter } from "./log-writer.ts";
import type { Output } from "./output.ts";
import { play } from "./player.ts";

/** @returns the writes, each with its time in milliseconds since the start */
async function played(
  chunks: readonly (readonly [ms: number, text: string][])[],
  pace: { readonly speed?: number; readonly idleMaxMs?: number } = {},
): Promise<string[]> {
  let nowMs = 5_000;
  const clock: Clock = {
    nowMs: () => nowMs,
    sleep: async (durationMs) => {
      nowMs += durationMs;
    },
  };
  const writes: string[] = [];
  const write = async (data: string | Uint8Array): Promise<void> => {
    writes.push(`${nowMs - 5_000}:${Buffer.from(data as Uint8Array).toString()}`);
  };
  const output: Output = { isTerminal: false, columns: undefined, write, print: write };
  const writer = new LogWriter({ stdout: output, stderr: output });
  const recording = (async function* () {
    for (const chunk of chunks) yield chunk.map(([ms, text]) => record(ms, text));
  })();
  await play(recording, writer, { speed: 1, idleMaxMs: Infinity, clock, ...pace });
  return writes;
}

function record(ms: number, text: string): LogRecord {
  const timestamp = new Date(Date.UTC(2026, 10, 25) + ms).toISOString();
  return { stream: "stdout", timestamp, bytes: Buffer.from(text), endsLine: false };
}

const recording: [number, string][][] = [
  [
    [0, "a"],
    [0, "b"],
    [250, "c"],
  ],
  [[4_250, "d"]],
];

test("pieces come with the pauses that were between them", async () => {
  expect(await played(recording)).toEqual(["0:ab", "250:c", "4250:d"]);
});

test("faster, with pauses cut short, or without any", async () => {
  expect(await played(recording, { speed: 2 })).toEqual(["0:ab", "125:c", "2125:d"]);
  expect(await played(recording, { idleMaxMs: 1_000 })).toEqual(["0:ab", "250:c", "1250:d"]);
  expect(await played(recording, { speed: Infinity })).toEqual(["0:abc", "0:d"]);
});

test("a clock that was set back makes no pause", async () => {
  const times: [number, string][] = [
    [1_000, "a"],
    [0, "b"],
    [100, "c"],
  ];
  expect(await played([times])).toEqual(["0:ab", "100:c"]);
});
