import type { LogRecord } from "@podfleet/protocol/log/log-records";
import { expect, test } from "vitest";

import { type LogFormat, LogFrames } from "./log-frames.ts";

const timestamp = "2026-01-01T01:02:03.123456789+01:00";

function record(stream: LogRecord["stream"], text: string): LogRecord {
  const endsLine = text.endsWith("\n");
  return { stream, timestamp, bytes: Buffer.from(text.trimEnd()), endsLine };
}

function encode(format: Partial<LogFormat>, records: LogRecord[]): string {
  const all = { stdout: true, stderr: true, timestamps: false, isFramed: true, ...format };
  return Buffer.from(new LogFrames(all).encode(records)).toString("latin1");
}

test("each line has a frame of its own", () => {
  const records = [record("stdout", "one\n"), record("stderr", "two\n"), record("stdout", "3")];
  expect(encode({}, records)).toBe(
    "\u0001\0\0\0\0\0\0\u0004one\n\u0002\0\0\0\0\0\0\u0004two\n\u0001\0\0\0\0\0\0\u00013",
  );
});

test("only the streams that were asked for are there", () => {
  const records = [record("stdout", "one\n"), record("stderr", "two\n")];
  expect(encode({ stdout: false }, records)).toBe("\u0002\0\0\0\0\0\0\u0004two\n");
});

test("a terminal's output has no headers", () => {
  expect(encode({ isFramed: false }, [record("stdout", "a\n"), record("stdout", "b")])).toBe(
    "a\nb",
  );
});

test("a line that comes in parts has one time, in UTC with all its digits", () => {
  const records = [record("stdout", "a"), record("stdout", "b\n"), record("stdout", "c\n")];
  expect(encode({ isFramed: false, timestamps: true }, records)).toBe(
    "2026-01-01T00:02:03.123456789Z ab\n2026-01-01T00:02:03.123456789Z c\n",
  );
});
