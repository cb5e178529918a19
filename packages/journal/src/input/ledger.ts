/**
 * Whose the bytes of a command's input are: a record for each piece, which is appended before the piece is. So after a crash the length
 * of the input tells how much of the last record is there, and every byte was taken exactly once.
 *
 *     0   16  session, the bytes of its UUID; zeros: none, the input of the command has ended
 *     16  8   the session's seq after the piece: how many bytes it has written
 *     24  8   length of the input after the piece
 *     32  1   1 when the session has ended its input
 *     33  31  zeros
 *
 * Integers are little-endian. Records of 64 bytes never cross a page, so none is cut off by the end of the agent.
 */
import { closeSync, constants, openSync, readFileSync, renameSync } from "node:fs";

import { type SessionId, sessionIdSchema } from "@podfleet/model/ids";

import { writeWhole } from "./write-whole.ts";

export interface WriterPosition {
  /** Bytes that the session has written. */
  readonly seq: number;
  /** It has ended its input. */
  readonly ended: boolean;
}

interface LedgerRecord extends WriterPosition {
  /** Undefined: the input of the command has ended. */
  readonly session: SessionId | undefined;
  readonly length: number;
}

/** Whether the session may still be asked about. */
type IsKept = (session: SessionId) => boolean;

const recordBytes = 64;
/** Of records; then only the last one of each session is kept, and of one that has ended its input. */
const countMax = 4_096;
const noWriter: WriterPosition = { seq: 0, ended: false };

export class InputLedger {
  readonly #path: string;
  readonly #isKept: IsKept;
  readonly #positions = new Map<SessionId, WriterPosition>();
  #file: number;
  #count = 0;
  #closed = false;

  private constructor(path: string, isKept: IsKept) {
    this.#path = path;
    this.#isKept = isKept;
    this.#file = openLedger(path);
  }

  /** @param length of the input, which tells how much of the last record's piece is there */
  static open(path: string, length: number, isKept: IsKept = () => true): InputLedger {
    const ledger = new InputLedger(path, isKept);
    ledger.#load(length);
    return ledger;
  }

  /** The input of the command has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  find(session: SessionId): WriterPosition {
    return this.#positions.get(session) ?? noWriter;
  }

  /** Sessions that have ended their input. */
  ended(): SessionId[] {
    return [...this.#positions].flatMap(([session, { ended }]) => (ended ? [session] : []));
  }

  /** Before the piece is appended; `length` is that of the input after it. */
  append(session: SessionId, position: WriterPosition, length: number): void {
    if (this.#count >= countMax) this.#condense();
    this.#write({ session, ...position, length });
    this.#positions.set(session, position);
  }

  appendClosed(length: number): void {
    this.#write({ session: undefined, ...noWriter, length });
    this.#closed = true;
  }

  /** After a piece could not be appended as a whole: takes back what is not there. */
  reload(length: number): void {
    this.#positions.clear();
    this.#load(length);
  }

  close(): void {
    closeSync(this.#file);
  }

  #load(length: number): void {
    const bytes = readFileSync(this.#path);
    this.#count = Math.floor(bytes.length / recordBytes);
    for (let index = 0; index < this.#count; index += 1) {
      const record = decodeRecord(bytes, index * recordBytes);
      const missing = index === this.#count - 1 ? Math.max(0, record.length - length) : 0;
      const found = { ...record, seq: record.seq - missing, length: record.length - missing };
      if (missing > 0) this.#replaceLast(found);
      if (found.session === undefined) this.#closed = true;
      else this.#positions.set(found.session, { seq: found.seq, ended: found.ended });
    }
  }

  #write(record: LedgerRecord): void {
    writeWhole(this.#file, encodeRecord(record), this.#count * recordBytes);
    this.#count += 1;
  }

  #replaceLast(record: LedgerRecord): void {
    this.#count -= 1;
    this.#write(record);
  }

  /** Replaces the file in one step, when all pieces are in the input. */
  #condense(): void {
    const fresh = `${this.#path}.new`;
    const keptEnd = this.ended()[0];
    for (const session of this.#positions.keys()) {
      if (session !== keptEnd && !this.#isKept(session)) this.#positions.delete(session);
    }
    const file = openSync(fresh, "w", 0o600);
    const records = [...this.#positions].map(([session, position]) =>
      encodeRecord({ session, ...position, length: 0 }),
    );
    writeWhole(file, Buffer.concat(records), 0);
    closeSync(file);
    renameSync(fresh, this.#path);
    closeSync(this.#file);
    this.#file = openLedger(this.#path);
    this.#count = records.length;
  }
}

function openLedger(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
}

function encodeRecord({ session, seq, ended, length }: LedgerRecord): Buffer {
  const bytes = Buffer.alloc(recordBytes);
  if (session !== undefined) bytes.write(session.replaceAll("-", ""), "hex");
  bytes.writeBigUInt64LE(BigInt(seq), 16);
  bytes.writeBigUInt64LE(BigInt(length), 24);
  bytes.writeUInt8(ended ? 1 : 0, 32);
  return bytes;
}

function decodeRecord(bytes: Buffer, at: number): LedgerRecord {
  const id = bytes.toString("hex", at, at + 16);
  return {
    session: /^0+$/.test(id)
      ? undefined
      : sessionIdSchema.parse(id.replace(uuidGroups, "$1-$2-$3-$4-$5")),
    seq: Number(bytes.readBigUInt64LE(at + 16)),
    length: Number(bytes.readBigUInt64LE(at + 24)),
    ended: bytes.readUInt8(at + 32) === 1,
  };
}

const uuidGroups = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/;
