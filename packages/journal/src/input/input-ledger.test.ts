import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { newSessionId } from "@podfleet/model/ids";
import { afterAll, beforeEach, expect, test } from "vitest";

import { InputLedger } from "./input-ledger.ts";

const directory = mkdtempSync(join(tmpdir(), "podfleet-ledger-"));
const path = join(directory, "input.ledger");
beforeEach(() => rmSync(path, { force: true }));
afterAll(() => rmSync(directory, { recursive: true }));

const [ann, bob] = [newSessionId(), newSessionId()];

function withLedger<T>(length: number, body: (ledger: InputLedger) => T): T {
  const ledger = InputLedger.open(path, length);
  try {
    return body(ledger);
  } finally {
    ledger.close();
  }
}

test("a session that has written nothing is at 0; others are where they have got to", () => {
  withLedger(0, (ledger) => {
    expect(ledger.find(ann)).toEqual({ seq: 0, ended: false });
    ledger.append(ann, { seq: 10, ended: false }, 10);
    ledger.append(bob, { seq: 5, ended: false }, 15);
    ledger.append(ann, { seq: 30, ended: false }, 35);
    ledger.append(bob, { seq: 5, ended: true }, 35);
  });
  withLedger(35, (ledger) => {
    expect(ledger.find(ann)).toEqual({ seq: 30, ended: false });
    expect(ledger.find(bob)).toEqual({ seq: 5, ended: true });
    expect(ledger.ended()).toEqual([bob]);
    expect(ledger.closed).toBe(false);
  });
});

test.each([0, 1, 19, 20])(
  "of the last piece so much counts as the input has: %s bytes, also at the next crash",
  (there) => {
    withLedger(0, (ledger) => {
      ledger.append(bob, { seq: 15, ended: false }, 15);
      ledger.append(ann, { seq: 20, ended: false }, 35);
    });
    withLedger(15 + there, (ledger) => {
      expect(ledger.find(ann).seq).toBe(there);
      ledger.append(bob, { seq: 20, ended: false }, 20 + there);
    });
    withLedger(20 + there, (ledger) => {
      expect([ledger.find(ann).seq, ledger.find(bob).seq]).toEqual([there, 20]);
    });
  },
);

test("a record that is cut off does not count, and the next one takes its place", () => {
  withLedger(0, (ledger) => {
    ledger.append(ann, { seq: 10, ended: false }, 10);
    ledger.append(ann, { seq: 20, ended: false }, 20);
  });
  truncateSync(path, statSync(path).size - 1);
  withLedger(10, (ledger) => {
    expect(ledger.find(ann).seq).toBe(10);
    ledger.append(ann, { seq: 12, ended: false }, 12);
  });
  withLedger(12, (ledger) => expect(ledger.find(ann).seq).toBe(12));
});

test("a piece that could not be written is taken back", () => {
  withLedger(0, (ledger) => {
    ledger.append(ann, { seq: 10, ended: false }, 10);
    ledger.append(ann, { seq: 20, ended: false }, 20);
    ledger.reload(13);
    expect(ledger.find(ann).seq).toBe(13);
  });
});

test("the end of the command's input is kept", () => {
  withLedger(0, (ledger) => ledger.appendClosed(0));
  withLedger(0, (ledger) => expect(ledger.closed).toBe(true));
});

test("a long ledger is condensed, and one that was cut off while it was is as it was", () => {
  let longest = 0;
  withLedger(0, (ledger) => {
    ledger.append(bob, { seq: 3, ended: true }, 3);
    for (let seq = 1; seq <= 10_000; seq += 1) {
      ledger.append(ann, { seq, ended: false }, 3 + seq);
      longest = Math.max(longest, statSync(path).size);
    }
  });
  expect(longest).toBeLessThanOrEqual(4_096 * 64);
  writeFileSync(`${path}.new`, readFileSync(path).subarray(0, 64));
  withLedger(10_003, (ledger) => {
    expect(ledger.find(ann).seq).toBe(10_000);
    expect(ledger.find(bob)).toEqual({ seq: 3, ended: true });
  });
});

test("writers that nobody asks about any more are dropped when it is condensed, but not that one has ended", () => {
  const gone = Array.from({ length: 4_200 }, () => newSessionId());
  const ledger = InputLedger.open(path, 0, (session) => session === ann);
  ledger.append(ann, { seq: 1, ended: false }, 1);
  ledger.append(bob, { seq: 0, ended: true }, 1);
  for (const session of gone) ledger.append(session, { seq: 0, ended: false }, 1);
  ledger.close();
  expect(statSync(path).size).toBeLessThan(200 * 64);
  withLedger(1, (found) => expect([found.find(ann).seq, found.ended()]).toEqual([1, [bob]]));
});
