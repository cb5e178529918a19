import { type JournalStream, parseJournal } from "@podfleet/base/journal-record";
import fc from "fast-check";
import { expect, test } from "vitest";

import { compactRecords, pieceBytesMax } from "./compact.ts";

const headroom = 18;

const record = fc.record({
  stream: fc.constantFrom<JournalStream>("stdout", "stderr"),
  payload: fc.oneof(
    fc.string({ unit: fc.constantFrom("a", " ", "F", "\r"), maxLength: 80 }),
    fc.integer({ min: 0, max: 8_192 }).map((length) => "x".repeat(length)),
  ),
  endsLine: fc.boolean(),
});

function journalOf(records: readonly (typeof record extends fc.Arbitrary<infer T> ? T : never)[]) {
  const text = records.map(({ stream, payload, endsLine }) => {
    return `2026-11-23T17:33:49.123456789+00:00 ${stream} ${endsLine ? "F" : "P"} ${payload}\n`;
  });
  return Buffer.from(text.join(""), "latin1");
}

test("pieces follow each other without a hole, are bounded, and hold the output byte for byte", () => {
  fc.assert(
    fc.property(
      fc.array(record, { maxLength: 60 }),
      fc.nat(50),
      fc.nat(1_000_000),
      (records, cutOff, offset) => {
        const journal = journalOf(records);
        const read = journal.subarray(0, Math.max(0, journal.length - cutOff));
        const buffer = Buffer.concat([Buffer.alloc(headroom), read]);
        const expected = { stdout: "", stderr: "" };
        let end = 0;
        for (const each of parseJournal(read)) {
          const line = Buffer.from(each.payload).toString("latin1");
          expected[each.stream] += each.endsLine ? `${line}\n` : line;
          ({ end } = each);
        }
        const found = { stdout: "", stderr: "" };
        let next = offset;
        for (const piece of compactRecords(buffer, { headroom, offset })) {
          expect(piece.offset).toBe(next);
          ({ next } = piece);
          piece.bytes.fill(0, 0, headroom);
          const output = piece.bytes.subarray(headroom);
          expect(output.length).toBeLessThanOrEqual(pieceBytesMax);
          found[piece.stream] += output.toString("latin1");
        }
        expect(next).toBe(offset + end);
        expect(found).toEqual(expected);
      },
    ),
  );
});

test("what is not a record is an error", () => {
  const buffer = Buffer.from(`${" ".repeat(headroom)}${"?".repeat(60)}\n`);
  expect(() => compactRecords(buffer, { headroom, offset: 7 })).toThrow(
    "Malformed journal record at offset 7",
  );
});
