/**
 * Records which session wrote which bytes of a command's input. A record is appended to the ledger before its bytes are appended to the
 * input file. After a crash the length of the input file tells how many bytes of the last record were written, so no byte is taken twice.
 *
 *     offset  length
 *     0       16      UUID of the session; zeros when the record says that the command's input has ended
 *     16      8       number of bytes that the session has written, with these
 *     24      8       length of the input file with these
 *     32      1       1 when the session has ended its input
 *     33      31      zeros
 *
 * Integers are little-endian. Records of 64 bytes never cross a page, so an agent that ends while it writes one leaves all of it or none.
 */
import { closeSync, constants, openSync, readFileSync, renameSync } from "node:fs";

import { type SessionId, sessionIdSchema } from "@podfleet/model/ids";

import { writeWhole } from "./write-whole.ts";

export interface WriterPosition {
  /** Number of bytes that the session has written. */
  readonly seq: number;
  /** The session has ended its input. */
  readonly ended: boolean;
}

interface LedgerRecord extends WriterPosition {
  /** Undefined in the record that says that the command's input has ended. */
  readonly session: SessionId | undefined;
  /** Length of the input file with the record's bytes. */
  readonly length: number;
}

/** Tells whether the session is still on record. */
type IsKept = (session: SessionId) => boolean;

const recordBytes = 64;
/** Number of records at which the ledger is compacted to the last one of each session. */
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

  /**
   * Opens or creates the ledger.
   * @param length length of the input file, which tells how many bytes of the last record were written
   */
  static open(path: string, length: number, isKept: IsKept = () => true): InputLedger {
    const ledger = new InputLedger(path, isKept);
    ledger.#load(length);
    return ledger;
  }

  /** True when the command's input has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  find(session: SessionId): WriterPosition {
    return this.#positions.get(session) ?? noWriter;
  }

  /** Lists the sessions that have ended their input. */
  ended(): SessionId[] {
    return [...this.#positions].flatMap(([session, { ended }]) => (ended ? [session] : []));
  }

  /** Appends a record before its bytes are written; `length` is the length of the input file with them. */
  append(session: SessionId, position: WriterPosition, length: number): void {
    if (this.#count >= countMax) this.#compact();
    this.#write({ session, ...position, length });
    this.#positions.set(session, position);
  }

  /** Records that the command's input has ended. */
  appendClosed(length: number): void {
    this.#write({ session: undefined, ...noWriter, length });
    this.#closed = true;
  }

  /** Reads the ledger again after a failed write to the input file, and corrects the last record. */
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

  /**
   * Replaces the file by one with the last record of each session that is kept, and of one that has ended its input. Called when the bytes
   * of all records are in the input file.
   */
  #compact(): void {
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
