import { randomBytes } from "node:crypto";
import { PassThrough, Readable } from "node:stream";

import { systemClock } from "@podfleet/base/clock";
import { waitFor } from "@podfleet/testkit/wait-for";
import { expect, test } from "vitest";

import type { TransferPiece } from "./piece-reader.ts";
import { Transfers, type TransferSource } from "./transfers.ts";

const never = new AbortController().signal;

/** A source that counts how often it is closed. */
function sourceOf(stream: Readable): TransferSource & { closed: number } {
  return {
    closed: 0,
    open: async () => stream,
    async close() {
      this.closed += 1;
    },
  };
}

function transfersFor(silenceMaxMs?: number): Transfers {
  const onFailure = (error: unknown): never => {
    throw error;
  };
  const options = { clock: systemClock, onFailure };
  return new Transfers(silenceMaxMs === undefined ? options : { ...options, silenceMaxMs });
}

async function readAll(transfers: Transfers, source: TransferSource): Promise<Buffer> {
  const id = await transfers.open(source);
  const taken: Uint8Array[] = [];
  let piece: TransferPiece = { bytes: new Uint8Array(), next: 0, ended: false };
  while (!piece.ended) {
    piece = await transfers.read(id, { offset: piece.next, bytesMax: 10_000 }, never);
    taken.push(piece.bytes);
  }
  await transfers.close(id);
  return Buffer.concat(taken);
}

test("a stream comes out as it went in, and its source is closed once", async () => {
  const bytes = randomBytes(1_000_003);
  const parts = Array.from({ length: 100 }, (_, part) =>
    bytes.subarray(part * 10_001, (part + 1) * 10_001),
  );
  const transfers = transfersFor();
  const source = sourceOf(Readable.from(parts));
  expect((await readAll(transfers, source)).equals(bytes)).toBe(true);
  await transfers.closeAll();
  expect(source.closed).toBe(1);
});

test("an empty stream ends at once", async () => {
  expect(await readAll(transfersFor(), sourceOf(Readable.from([])))).toHaveLength(0);
});

test("the last read can be repeated, any other offset is refused", async () => {
  const transfers = transfersFor();
  const id = await transfers.open(sourceOf(Readable.from([Buffer.from("abcdef")])));
  const first = await transfers.read(id, { offset: 0, bytesMax: 2 }, never);
  expect(await transfers.read(id, { offset: 0, bytesMax: 2 }, never)).toEqual(first);
  const second = await transfers.read(id, { offset: 2, bytesMax: 2 }, never);
  expect(Buffer.from(second.bytes).toString()).toBe("cd");
  await expect(transfers.read(id, { offset: 0, bytesMax: 2 }, never)).rejects.toMatchObject({
    code: "INVALID_INPUT",
    details: { offset: 0, next: 4 },
  });
  await transfers.closeAll();
});

test("a repetition of a read under way gets the same bytes", async () => {
  const transfers = transfersFor();
  const stream = new PassThrough();
  const id = await transfers.open(sourceOf(stream));
  const range = { offset: 0, bytesMax: 3 };
  const both = Promise.all([transfers.read(id, range, never), transfers.read(id, range, never)]);
  stream.end("abcdef");
  const [first, second] = await both;
  expect(Buffer.from(first.bytes).toString()).toBe("abc");
  expect(second).toEqual(first);
  await transfers.closeAll();
});

test("a read that is given up loses nothing", async () => {
  const transfers = transfersFor();
  const stream = new PassThrough();
  const id = await transfers.open(sourceOf(stream));
  const range = { offset: 0, bytesMax: 3 };
  const empty = await transfers.read(id, range, AbortSignal.abort());
  expect(empty).toEqual({ bytes: Buffer.alloc(0), next: 0, ended: false });
  stream.end("abc");
  expect(Buffer.from((await transfers.read(id, range, never)).bytes).toString()).toBe("abc");
  await transfers.closeAll();
});

test("a failure of the source is told at each read until it is closed", async () => {
  const transfers = transfersFor();
  const source = sourceOf(
    Readable.from(
      (async function* () {
        yield Buffer.from("abc");
        throw new Error("the disk is gone");
      })(),
    ),
  );
  const id = await transfers.open(source);
  await transfers.read(id, { offset: 0, bytesMax: 3 }, never);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await expect(transfers.read(id, { offset: 3, bytesMax: 3 }, never)).rejects.toMatchObject({
      code: "STORAGE_FAILED",
      message: "Cannot read the transfer's source: the disk is gone",
    });
  }
  await transfers.close(id);
  expect(source.closed).toBe(1);
});

test("a transfer that nobody reads is dropped and its source closed", async () => {
  const transfers = transfersFor(20);
  const source = sourceOf(new PassThrough());
  const id = await transfers.open(source);
  await waitFor(async () => source.closed === 1, { what: "the source to be closed" });
  await expect(transfers.read(id, { offset: 0, bytesMax: 1 }, never)).rejects.toMatchObject({
    code: "TRANSFER_NOT_FOUND",
  });
});

test("no more than sixteen are open at once", async () => {
  const transfers = transfersFor();
  for (let count = 0; count < 16; count += 1) await transfers.open(sourceOf(new PassThrough()));
  await expect(transfers.open(sourceOf(new PassThrough()))).rejects.toMatchObject({
    code: "UNAVAILABLE",
  });
  await transfers.closeAll();
});
