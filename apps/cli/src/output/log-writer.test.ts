import type { LogRecord } from "@podfleet/client/logs";
import { expect, test } from "vitest";

import { LogWriter } from "./log-writer.ts";
import type { LinePrefix } from "./log-writer.ts";
import type { Output } from "./output.ts";

function record(stream: LogRecord["stream"], text: string, endsLine = true): LogRecord {
  const timestamp = "2026-11-23T12:00:00.000000001+00:00";
  return { stream, timestamp, bytes: Buffer.from(text, "latin1"), endsLine };
}

/** @returns the writes, each with its stream */
async function written(chunks: readonly LogRecord[][], prefix?: LinePrefix): Promise<string[]> {
  const writes: string[] = [];
  const output = (name: string): Output => {
    const write = async (data: string | Uint8Array): Promise<void> => {
      writes.push(`${name}:${Buffer.from(data as Uint8Array).toString("latin1")}`);
    };
    return { isTerminal: false, columns: undefined, write, print: write };
  };
  const writer = new LogWriter({ stdout: output("out"), stderr: output("err") }, prefix);
  for (const chunk of chunks) await writer.write(chunk);
  return writes;
}

test("streams stay apart and in order, bytes as they were", async () => {
  const chunk = [
    record("stdout", "a\0\xff"),
    record("stdout", "b"),
    record("stderr", "e", false),
    record("stdout", "", true),
    record("stdout", "end", false),
  ];
  expect(await written([chunk])).toEqual(["out:a\0\xff\nb\n", "err:e", "out:\nend"]);
});

test("a prefix stands at the beginning of a line only", async () => {
  const chunks = [
    [record("stdout", "one"), record("stdout", "tw", false), record("stderr", "err")],
    [record("stdout", "o"), record("stdout", "three")],
  ];
  expect(await written(chunks, () => "> ")).toEqual([
    "out:> one\n> tw",
    "err:> err\n",
    "out:o\n> three\n",
  ]);
});
