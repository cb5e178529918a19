/**
 * The frames of a session's connection, end to end between client and agent. One frame is one message: of a WebSocket between client and
 * control plane, of NATS between control plane and agent; a relay passes them on as they are.
 *
 *     0         1 byte: the frame's type
 *     1 …       fields in the order of the table; integers are unsigned and big-endian
 *
 *     frame      type  direction  fields
 *     open       0x01  ▶ relay    OpenRequest (stream/open) as JSON; the first frame of a client
 *     opened     0x02  ◀ relay    Opened (stream/open) as JSON; before any other frame to the client
 *     output     0x10  ◀          offset 8, next 8, stream 1 (1 stdout, 2 stderr), bytes
 *     gap        0x11  ◀          from 8, to 8
 *     exit       0x12  ◀          offset 8, how 1 (0 exited, 1 unknown, 2 timed out), code 1
 *     ack        0x13  ◀          seq 8, limit 8
 *     beat       0x14  ◀          offset 8, seq 8
 *     error      0x1f  ◀          WireError (model/errors) as JSON; the last frame
 *     input      0x20  ▶          seq 8, bytes
 *     inputEnd   0x21  ▶          seq 8
 *     resize     0x22  ▶          height 2, width 2
 *     credit     0x23  ▶          offset 8, window 4
 *     detach     0x24  ▶          (none); the last frame
 *     lost       0x25  relay ▶    (none); the last frame: the client's connection is gone
 *
 * Offsets are positions in the journal file; a seq is the number of bytes of input before the frame's own. Both name a byte for ever.
 *
 * What each side owes the other:
 *
 * - Output comes in the order of its offsets without a hole: each frame's `offset` is the `next` of the one before, or the `to` of a gap.
 *   A client that sees a hole has lost a frame: it opens the session again with the last `next`.
 * - The agent sends nothing beyond `offset + window` of the last credit. A client gives credit for what its reader has taken, and at least
 *   every `creditIntervalMs`, which also tells the agent that it is alive.
 * - Input is the client's to keep until it is acknowledged. The agent takes the part after what it has, ignores the rest, and refuses a
 *   frame that leaves a hole. The client sends nothing beyond `limit`.
 * - A beat, every `beatIntervalMs`, says how far output was sent and input was taken, so that the loss of a last frame is noticed.
 * - The relay says `lost` when a client goes away without detach, so that the agent need not wait for its silence.
 * - A frame between relay and agent is lost only when the bulk link of one of them is. That side then ends each connection with the error
 *   UNAVAILABLE: the relay at once, the agent when the link is back. The client opens the session again.
 * - The exit comes after the client has acknowledged, by credit, every byte before `offset`. The client answers it with detach.
 */
import type { JournalStream } from "@podfleet/base/journal-record";
import { PodfleetError, type WireError, wireErrorSchema } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";
import type { CommandExit } from "@podfleet/model/session";
import { ZodError } from "zod";

import { type Opened, openedSchema, type OpenRequest, openRequestSchema } from "./open.ts";

export const beatIntervalMs = 2_000;
export const creditIntervalMs = 5_000;
/** The longest silence before the other side counts as lost. */
export const clientSilenceMaxMs = 15_000;
export const agentSilenceMaxMs = 6_000;
/** The most output of one frame; NATS takes messages of up to 1 MiB. */
export const outputBytesMax = 256 * 1024;
export const inputBytesMax = 32 * 1024;
/** The largest window; larger ones are cut to it. */
export const windowMax = 8 * 1024 * 1024;
/** The smallest window other than 0; smaller ones are raised to it, because a record of the journal is not divided. */
export const windowMin = 16 * 1024;

export type Frame =
  | { readonly type: "open"; readonly request: OpenRequest }
  | { readonly type: "opened"; readonly opened: Opened }
  | OutputFrame
  | { readonly type: "gap"; readonly from: number; readonly to: number }
  | { readonly type: "exit"; readonly offset: number; readonly exit: CommandExit }
  | { readonly type: "ack"; readonly seq: number; readonly limit: number }
  | { readonly type: "beat"; readonly offset: number; readonly seq: number }
  | { readonly type: "error"; readonly error: WireError }
  | { readonly type: "input"; readonly seq: number; readonly bytes: Uint8Array }
  | { readonly type: "inputEnd"; readonly seq: number }
  | { readonly type: "resize"; readonly size: TerminalSize }
  | { readonly type: "credit"; readonly offset: number; readonly window: number }
  | { readonly type: "detach" }
  | { readonly type: "lost" };

export interface OutputFrame {
  readonly type: "output";
  readonly offset: number;
  /** The offset of the next frame. */
  readonly next: number;
  readonly stream: JournalStream;
  readonly bytes: Uint8Array;
}

const types = {
  open: 0x01,
  opened: 0x02,
  output: 0x10,
  gap: 0x11,
  exit: 0x12,
  ack: 0x13,
  beat: 0x14,
  error: 0x1f,
  input: 0x20,
  inputEnd: 0x21,
  resize: 0x22,
  credit: 0x23,
  detach: 0x24,
  lost: 0x25,
} as const satisfies Record<Frame["type"], number>;

const names = new Map<number, Frame["type"]>(
  Object.entries(types).map(([name, byte]) => [byte, name as Frame["type"]]),
);

/** The length of an output frame's header: a writer can leave that room and fill it with `writeOutputHeader`. */
export const outputHeaderBytes = 18;
/** The most bytes of JSON in an open, opened or error frame. */
export const jsonBytesMax = 64 * 1024;

export function encodeFrame(frame: Frame): Uint8Array {
  switch (frame.type) {
    case "open":
      return json(types.open, frame.request);
    case "opened":
      return json(types.opened, frame.opened);
    case "error":
      return json(types.error, frame.error);
    case "output": {
      const bytes = new Uint8Array(outputHeaderBytes + frame.bytes.length);
      writeOutputHeader(bytes, frame);
      bytes.set(frame.bytes, outputHeaderBytes);
      return bytes;
    }
    case "gap":
      return twoNumbers(types.gap, frame.from, frame.to);
    case "ack":
      return twoNumbers(types.ack, frame.seq, frame.limit);
    case "beat":
      return twoNumbers(types.beat, frame.offset, frame.seq);
    case "exit":
      return encodeExit(frame.offset, frame.exit);
    case "input":
      return encodeInput(frame.seq, frame.bytes);
    case "inputEnd":
      return encodeInput(frame.seq, undefined);
    case "resize":
      return encodeResize(frame.size);
    case "credit":
      return encodeCredit(frame.offset, frame.window);
    case "detach":
    case "lost":
      return Uint8Array.of(types[frame.type]);
  }
}

/** Whether it is the last frame to the client. A relay reads no more than this of the frames that it passes on. */
export function isErrorFrame(bytes: Uint8Array): boolean {
  return bytes[0] === types.error;
}

/** Fills the first `outputHeaderBytes` of `bytes`. */
export function writeOutputHeader(
  bytes: Uint8Array,
  { offset, next, stream }: Pick<OutputFrame, "offset" | "next" | "stream">,
): void {
  const view = viewOf(bytes);
  view.setUint8(0, types.output);
  setNumber(view, 1, offset);
  setNumber(view, 9, next);
  view.setUint8(17, stream === "stdout" ? 1 : 2);
}

/**
 * Decodes a frame. The payload of an output or input frame is a view of `bytes`.
 * @throws PodfleetError INVALID_INPUT for anything that is not a whole frame
 */
export function decodeFrame(bytes: Uint8Array): Frame {
  const type = names.get(bytes[0] ?? 0);
  if (type === undefined) throw malformed(`unknown type ${bytes[0] ?? "(none)"}`);
  const reader = new FieldReader(type, bytes);
  const frame = decodeFields(type, reader);
  reader.end();
  return frame;
}

function decodeFields(type: Frame["type"], reader: FieldReader): Frame {
  switch (type) {
    case "open":
      return { type, request: reader.json(openRequestSchema) };
    case "opened":
      return { type, opened: reader.json(openedSchema) };
    case "error":
      return { type, error: reader.json(wireErrorSchema) };
    case "output":
      return decodeOutput(reader);
    case "gap":
      return { type, from: reader.number(), to: reader.number() };
    case "ack":
      return { type, seq: reader.number(), limit: reader.number() };
    case "beat":
      return { type, offset: reader.number(), seq: reader.number() };
    case "exit":
      return { type, offset: reader.number(), exit: reader.exit() };
    case "input":
      return { type, seq: reader.number(), bytes: reader.payload(inputBytesMax) };
    case "inputEnd":
      return { type, seq: reader.number() };
    case "resize":
      return { type, size: reader.size() };
    case "credit":
      return { type, offset: reader.number(), window: reader.uint32() };
    case "detach":
    case "lost":
      return { type };
  }
}

function decodeOutput(reader: FieldReader): OutputFrame {
  const offset = reader.number();
  const next = reader.number();
  if (next < offset) throw malformed(`output from ${offset} to ${next}`);
  return {
    type: "output",
    offset,
    next,
    stream: reader.stream(),
    bytes: reader.payload(outputBytesMax),
  };
}

/** Reads the fields of a frame in order. */
class FieldReader {
  readonly #type: Frame["type"];
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 1;

  constructor(type: Frame["type"], bytes: Uint8Array) {
    this.#type = type;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  number(): number {
    const at = this.#take(8);
    const value = this.#view.getUint32(at) * 2 ** 32 + this.#view.getUint32(at + 4);
    if (Number.isSafeInteger(value)) return value;
    throw malformed(`"${this.#type}" has a number over 2^53 - 1`);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  stream(): JournalStream {
    const byte = this.#view.getUint8(this.#take(1));
    if (byte === 1) return "stdout";
    if (byte === 2) return "stderr";
    throw malformed(`unknown stream ${byte}`);
  }

  size(): TerminalSize {
    const at = this.#take(4);
    const size = { height: this.#view.getUint16(at), width: this.#view.getUint16(at + 2) };
    if (size.height > 0 && size.width > 0) return size;
    throw malformed(`a terminal of ${size.width} x ${size.height}, must be at least 1 x 1`);
  }

  exit(): CommandExit {
    const at = this.#take(2);
    const how = this.#view.getUint8(at);
    const exitCode = this.#view.getUint8(at + 1);
    if (how === 0) return { exitCode, exitUnknown: false, timedOut: false };
    if (how === 1 || how === 2) return { exitUnknown: how === 1, timedOut: how === 2 };
    throw malformed(`unknown way ${how} to exit`);
  }

  payload(bytesMax: number): Uint8Array {
    const payload = this.#bytes.subarray(this.#at);
    this.#at = this.#bytes.length;
    if (payload.length <= bytesMax) return payload;
    throw malformed(`"${this.#type}" holds ${payload.length} bytes, must be at most ${bytesMax}`);
  }

  json<T>(schema: { parse(value: unknown): T }): T {
    const text = new TextDecoder().decode(this.payload(jsonBytesMax));
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      throw malformed(`"${this.#type}": ${reasonOf(error)}`, error);
    }
  }

  end(): void {
    if (this.#at === this.#bytes.length) return;
    throw malformed(`"${this.#type}" has ${this.#bytes.length - this.#at} bytes too many`);
  }

  #take(length: number): number {
    const at = this.#at;
    this.#at += length;
    if (this.#at <= this.#bytes.length) return at;
    throw malformed(`"${this.#type}" is cut off after ${this.#bytes.length} bytes`);
  }
}

/** The first field of a value that fails validation. */
function reasonOf(error: unknown): string {
  if (!(error instanceof ZodError)) return error instanceof Error ? error.message : String(error);
  const [issue] = error.issues;
  const path = issue?.path.join(".") ?? "";
  return path === "" ? (issue?.message ?? "") : `${path}: ${issue?.message}`;
}

function json(type: number, value: unknown): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(value));
  const bytes = new Uint8Array(1 + text.length);
  bytes[0] = type;
  bytes.set(text, 1);
  return bytes;
}

function twoNumbers(type: number, first: number, second: number): Uint8Array {
  const bytes = new Uint8Array(17);
  const view = viewOf(bytes);
  view.setUint8(0, type);
  setNumber(view, 1, first);
  setNumber(view, 9, second);
  return bytes;
}

function encodeExit(offset: number, { exitCode = 0, exitUnknown, timedOut }: CommandExit) {
  const bytes = new Uint8Array(11);
  const view = viewOf(bytes);
  view.setUint8(0, types.exit);
  setNumber(view, 1, offset);
  view.setUint8(9, exitUnknown ? 1 : timedOut ? 2 : 0);
  view.setUint8(10, exitUnknown || timedOut ? 0 : exitCode);
  return bytes;
}

/** @param payload undefined: the end of input */
function encodeInput(seq: number, payload: Uint8Array | undefined): Uint8Array {
  const bytes = new Uint8Array(9 + (payload?.length ?? 0));
  const view = viewOf(bytes);
  view.setUint8(0, payload ? types.input : types.inputEnd);
  setNumber(view, 1, seq);
  if (payload) bytes.set(payload, 9);
  return bytes;
}

function encodeResize({ height, width }: TerminalSize): Uint8Array {
  const bytes = new Uint8Array(5);
  const view = viewOf(bytes);
  view.setUint8(0, types.resize);
  view.setUint16(1, height);
  view.setUint16(3, width);
  return bytes;
}

function encodeCredit(offset: number, window: number): Uint8Array {
  const bytes = new Uint8Array(13);
  const view = viewOf(bytes);
  view.setUint8(0, types.credit);
  setNumber(view, 1, offset);
  view.setUint32(9, window);
  return bytes;
}

function setNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value % 2 ** 32);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function malformed(reason: string, cause?: unknown): PodfleetError {
  return new PodfleetError("INVALID_INPUT", `Cannot read a frame: ${reason}`, { cause });
}
