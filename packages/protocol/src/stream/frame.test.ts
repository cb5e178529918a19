import { hasCode } from "@podfleet/model/errors";
import { newContainerId, newHostId, newSessionId } from "@podfleet/model/ids";
import { sessionSpecSchema } from "@podfleet/model/session";
import fc from "fast-check";
import { expect, test } from "vitest";

import { decodeFrame, encodeFrame, type Frame, inputBytesMax, outputBytesMax } from "./frame.ts";

const position = fc.maxSafeNat();
const exited = fc.record({
  exitCode: fc.nat(255),
  exitUnknown: fc.constant(false),
  timedOut: fc.constant(false),
});
const lost = fc.boolean().map((timedOut) => ({ exitUnknown: !timedOut, timedOut }));

const frames: fc.Arbitrary<Frame> = fc.oneof(
  fc
    .tuple(
      position,
      position,
      fc.constantFrom("stdout", "stderr"),
      fc.uint8Array({ maxLength: 64 }),
    )
    .map(([one, other, stream, bytes]): Frame => {
      const [offset, next] = [Math.min(one, other), Math.max(one, other)];
      return { type: "output", offset, next, stream, bytes };
    }),
  fc.record({ type: fc.constant("gap"), from: position, to: position }),
  fc.record({ type: fc.constant("ack"), seq: position, limit: position }),
  fc.record({ type: fc.constant("beat"), offset: position, seq: position }),
  fc.record({ type: fc.constant("exit"), offset: position, exit: fc.oneof(exited, lost) }),
  fc.record({ type: fc.constant("input"), seq: position, bytes: fc.uint8Array({ maxLength: 64 }) }),
  fc.record({ type: fc.constant("inputEnd"), seq: position }),
  fc.record({
    type: fc.constant("resize"),
    size: fc.record({
      height: fc.integer({ min: 1, max: 65_535 }),
      width: fc.integer({ min: 1, max: 65_535 }),
    }),
  }),
  fc.record({ type: fc.constant("credit"), offset: position, window: fc.nat(2 ** 32 - 1) }),
  fc.constant({ type: "detach" }),
  fc.constant({ type: "lost" }),
);

test("what is encoded is decoded", () => {
  fc.assert(
    fc.property(frames, (frame) => {
      expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
    }),
  );
});

test("the frames that hold JSON", () => {
  const session = newSessionId();
  const spec = sessionSpecSchema.parse({ input: "shared" });
  const request = { session, container: "web", spec, resume: false, window: 65_536 };
  const id = newContainerId();
  const at = "2026-11-25T12:00:00.000Z";
  const opened = {
    session: {
      id: session,
      containerId: id,
      run: 1,
      spec,
      tty: true,
      caller: "ann",
      openedAt: at,
      connected: true,
      detached: false,
      acknowledged: 0,
    },
    offset: 0,
    input: { seq: 0, limit: 4096, ended: false },
    container: { id, name: "web" },
    host: { id: newHostId(), name: "host-1" },
  };
  const error = { code: "SESSION_ENDED", message: "It has ended" } as const;
  for (const frame of [
    { type: "open", request },
    { type: "opened", opened },
    { type: "error", error },
  ] as const) {
    expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
  }
});

test("whatever bytes arrive, they are a frame or a refusal", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.tuple(frames, fc.nat(80)).map(([frame, length]) => encodeFrame(frame).subarray(0, length)),
    fc.tuple(frames, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(([frame, more]) => {
      return new Uint8Array([...encodeFrame(frame), ...more]);
    }),
    fc.tuple(fc.constantFrom(0x01, 0x02, 0x1f), fc.json()).map(([type, text]) => {
      return new Uint8Array([type, ...new TextEncoder().encode(text)]);
    }),
  );
  fc.assert(
    fc.property(bytes, (arrived) => {
      try {
        expect(encodeFrame(decodeFrame(arrived))).toEqual(new Uint8Array(arrived));
      } catch (error) {
        const isRefusal =
          hasCode(error, "INVALID_INPUT") && error.message.startsWith("Cannot read a frame: ");
        if (!isRefusal) throw error;
      }
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ["nothing", [], "unknown type (none)"],
  ["an unknown type", [0xff], "unknown type 255"],
  ["a cut-off frame", [0x13, 0, 0], '"ack" is cut off after 3 bytes'],
  ["bytes too many", [0x24, 0], '"detach" has 1 bytes too many'],
  ["an unknown stream", [0x10, ...zeros(16), 3], "unknown stream 3"],
  [
    "a terminal without columns",
    [0x22, 0, 24, 0, 0],
    "a terminal of 0 x 24, must be at least 1 x 1",
  ],
  [
    "a number that is too large",
    [0x21, ...Array.from({ length: 8 }, () => 0xff)],
    '"inputEnd" has a number over 2^53 - 1',
  ],
])("%s is refused", (_what, bytes, reason) => {
  expect(() => decodeFrame(Uint8Array.from(bytes))).toThrow(`Cannot read a frame: ${reason}`);
});

test.each([
  ["output", [0x10, ...zeros(16), 1], outputBytesMax],
  ["input", [0x20, ...zeros(8)], inputBytesMax],
])("%s over its limit is refused", (name, head, bytesMax) => {
  const frame = new Uint8Array(head.length + bytesMax + 1);
  frame.set(head);
  expect(decodeFrame(frame.subarray(0, -1)).type).toBe(name);
  expect(() => decodeFrame(frame)).toThrow(`"${name}" holds ${bytesMax + 1} bytes`);
});

function zeros(count: number): number[] {
  return Array.from({ length: count }, () => 0);
}
