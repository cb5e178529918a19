import { PodfleetError } from "@podfleet/model/errors";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Output } from "../output/output.ts";
import { Notices } from "./notices.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const down = { type: "down", error: new PodfleetError("UNAVAILABLE", "gone") } as const;

/** @returns notices and the text that they have written */
function noticesOn(isTerminal: boolean): { notices: Notices; said: () => string } {
  let text = "";
  const write = async (data: string | Uint8Array): Promise<void> => {
    text += String(data);
  };
  const output: Output = { isTerminal, columns: undefined, write, print: write };
  return { notices: new Notices(output), said: () => text };
}

test("an outage that is short goes unnoticed", () => {
  const { notices, said } = noticesOn(true);
  notices.onReturn = () => expect.unreachable();
  for (const downMs of [10, 999]) {
    notices.tell(down);
    vi.advanceTimersByTime(downMs);
    notices.tell({ type: "back", downMs });
    vi.advanceTimersByTime(10_000);
  }
  expect(said()).toBe("");
});

test("a longer one is spoken of, and so is its end, on lines of their own", () => {
  const { notices, said } = noticesOn(true);
  notices.isRaw = true;
  let returns = 0;
  notices.onReturn = () => (returns += 1);
  for (const seconds of [3, 61]) {
    notices.tell(down);
    vi.advanceTimersByTime(seconds * 1000);
    notices.tell({ type: "back", downMs: seconds * 1000 });
  }
  const lines = said().split("\r\n").filter(Boolean);
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatch(/^\[podfleet: the connection is lost/);
  expect(lines[1]).toBe("[podfleet: connected again after 3 s]");
  expect(lines[3]).toBe("[podfleet: connected again after 61 s]");
  expect(said()).not.toMatch(/(^|[^\r])\n/);
  expect(returns).toBe(2);
});

test("nothing is said to who is no person, or after the end", () => {
  const script = noticesOn(false);
  script.notices.tell(down);
  const ended = noticesOn(true);
  ended.notices.tell(down);
  ended.notices[Symbol.dispose]();
  vi.advanceTimersByTime(10_000);
  expect([script.said(), ended.said()]).toEqual(["", ""]);
});
