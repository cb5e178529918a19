import { appendFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { hasCode } from "@podfleet/model/errors";
import { createTempRoot } from "@podfleet/testkit/temp-root";
import { expect, test } from "vitest";

import { type JournalReadOptions, readJournal } from "./read.ts";
import { sealJournal } from "./seal.ts";

const first = "2026-11-23T17:33:49.1+00:00 stdout F one\n";
const second = "2026-11-23T17:33:50.1+00:00 stderr P two\n";
const both = Buffer.from(first + second);

function options(more: Partial<JournalReadOptions> = {}): JournalReadOptions {
  const never = (): (() => void) => () => undefined;
  const defaults = {
    offset: 0,
    bytesMax: 16_384,
    waitMs: 0,
    mayGrow: () => false,
    keptFrom: () => 0,
  };
  return { ...defaults, subscribe: never, ...more };
}

async function journal(): Promise<AsyncDisposable & { readonly path: string }> {
  const root = await createTempRoot("journal");
  const path = join(root.path, "journal");
  await writeFile(path, both);
  return { path, [Symbol.asyncDispose]: () => root[Symbol.asyncDispose]() };
}

test("all of it, and then its end", async () => {
  await using file = await journal();
  const piece = await readJournal(file.path, options());
  expect(Buffer.from(piece.bytes)).toEqual(both);
  expect(piece).toMatchObject({ next: both.length, ended: true });
  const rest = await readJournal(file.path, options({ offset: piece.next }));
  expect(rest).toMatchObject({ bytes: Buffer.alloc(0), next: both.length, ended: true });
});

test("only whole records", async () => {
  await using file = await journal();
  const piece = await readJournal(file.path, options({ bytesMax: first.length + 5 }));
  expect(Buffer.from(piece.bytes).toString()).toBe(first);
  expect(piece).toMatchObject({ next: first.length, ended: false });
});

test("it has not ended while a run may add to it", async () => {
  await using file = await journal();
  const piece = await readJournal(file.path, options({ mayGrow: () => true }));
  expect(piece).toMatchObject({ next: both.length, ended: false });
});

test.each([1, first.length - 1, 10_000])("offset %d is refused", async (offset) => {
  await using file = await journal();
  await expect(readJournal(file.path, options({ offset }))).rejects.toSatisfy((error) =>
    hasCode(error, "INVALID_INPUT"),
  );
});

test("a waiting reader is woken by what is written", async () => {
  await using file = await journal();
  const waiting = { offset: both.length, waitMs: 5_000, mayGrow: () => true };
  const reading = readJournal(file.path, options(waiting));
  await appendFile(file.path, first);
  expect(Buffer.from((await reading).bytes).toString()).toBe(first);
});

test("a record in two writes comes as one", async () => {
  await using file = await journal();
  const waiting = { offset: both.length, waitMs: 5_000, mayGrow: () => true };
  const reading = readJournal(file.path, options(waiting));
  await appendFile(file.path, first.slice(0, 30));
  await appendFile(file.path, first.slice(30));
  expect(Buffer.from((await reading).bytes).toString()).toBe(first);
});

test("a waiting reader learns that the run has ended", async () => {
  await using file = await journal();
  const subscribed = Promise.withResolvers<() => void>();
  let running = true;
  const reading = readJournal(
    file.path,
    options({
      offset: both.length,
      waitMs: 5_000,
      mayGrow: () => running,
      subscribe: (listener) => {
        subscribed.resolve(listener);
        return () => undefined;
      },
    }),
  );
  const notify = await subscribed.promise;
  running = false;
  notify();
  expect(await reading).toMatchObject({ next: both.length, ended: true });
});

test("a wait ends empty after its time, or when it is cancelled", async () => {
  await using file = await journal();
  const waiting = options({ offset: both.length, waitMs: 20, mayGrow: () => true });
  expect(await readJournal(file.path, waiting)).toMatchObject({ next: both.length, ended: false });
  const cancelled = readJournal(file.path, { ...waiting, waitMs: 60_000 }, AbortSignal.timeout(20));
  expect(await cancelled).toMatchObject({ next: both.length, ended: false });
});

test("a journal that is removed ends", async () => {
  await using file = await journal();
  await rm(file.path);
  expect(await readJournal(file.path, options())).toMatchObject({ next: 0, ended: true });
});

test("sealing cuts off a record that was not finished, and nothing else", async () => {
  await using file = await journal();
  await sealJournal(file.path);
  await appendFile(file.path, first.slice(0, 30));
  await sealJournal(file.path);
  const piece = await readJournal(file.path, options());
  expect(Buffer.from(piece.bytes)).toEqual(both);
  await appendFile(file.path, first);
  const added = await readJournal(file.path, options({ offset: piece.next }));
  expect(Buffer.from(added.bytes).toString()).toBe(first);
});

test("sealing makes an empty journal", async () => {
  await using root = await createTempRoot("journal");
  const path = join(root.path, "new");
  await sealJournal(path);
  expect(await readJournal(path, options())).toMatchObject({ next: 0, ended: true });
});
