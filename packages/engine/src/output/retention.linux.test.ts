import { stat } from "node:fs/promises";
import { join } from "node:path";

import { parseJournal } from "@podfleet/base/journal-record";
import { headBytes } from "@podfleet/journal/record/compact";
import type { ContainerId } from "@podfleet/model/ids";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest } from "../test-engine.ts";
import { exec } from "../test-exec.ts";
import { TestSession } from "../test-session.ts";

const bytesMax = 1024 ** 2;
/** The space that a file system may need beside the bytes. */
const overheadBytes = 128 * 1024;

let under: EngineUnderTest;
beforeAll(async () => {
  under = await EngineUnderTest.open();
  await under.reopen({ journalBytesMax: bytesMax });
});
afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const journalOf = (id: ContainerId) => join(under.options.dataRoot, "journals", id);
const lines = (text: string) => text.split("\n").slice(0, -1).map(Number);

/** Resolves when `seq 1 60000` has written all; what is given up meanwhile cannot be read. */
async function counted(id: ContainerId): Promise<void> {
  const digits = 9 + 2 * 90 + 3 * 900 + 4 * 9_000 + 5 * 50_001;
  const length = digits + 60_000 * (headBytes + 1);
  const what = "the last number";
  await waitFor(async () => (await stat(journalOf(id))).size >= length, { what });
}

/** Offset at which what is kept begins, once the journal has been shortened to its bound. */
async function shortened(id: ContainerId, from = 0): Promise<number> {
  return await waitFor(
    async () => {
      const { offset } = await under.engine.locateJournal({ containerId: id });
      const { size } = await stat(journalOf(id));
      return offset > from && size - offset <= bytesMax ? offset : undefined;
    },
    { what: "the front to be given up" },
  );
}

test("a journal takes no more of the disk than its bound, and offsets stay", async () => {
  const id = await under.run("seq 1 60000; until [ -e /go ]; do sleep 0.02; done; echo 60001");
  const session = await TestSession.open(under, id, { from: "start" });
  session.onChange = () => undefined;
  await counted(id);
  const keptFrom = await shortened(id);
  expect((await stat(journalOf(id))).size).toBeGreaterThan(2 * bytesMax);
  await waitFor(async () => (await stat(journalOf(id))).blocks * 512 < bytesMax + overheadBytes, {
    what: "its space to be given back",
  });

  await exec(under, id, "touch /go");
  await session.ended();
  expect(session.gaps).toEqual([{ from: 0, to: keptFrom }]);
  const numbers = lines(session.text());
  expect(numbers.at(-1)).toBe(60_001);
  expect(numbers).toEqual(numbers.map((_, index) => 60_001 - numbers.length + 1 + index));
});

test("readers of logs begin where what is kept does, also after a restart of the agent", async () => {
  const id = await under.run("seq 1 60000; sleep 600");
  await counted(id);
  const keptFrom = await shortened(id);
  await under.reopen();
  expect(await under.engine.locateJournal({ containerId: id })).toEqual({ offset: keptFrom });
  const read = async (offset: number) =>
    await under.engine.readJournal({ containerId: id, offset, bytesMax: 16_384, waitMs: 0 });
  const piece = await read(0);
  expect(piece).toMatchObject({ offset: keptFrom, next: keptFrom + piece.bytes.length });
  expect([...parseJournal(piece.bytes)][0]?.stream).toBe("stdout");
  expect(await read(keptFrom)).toMatchObject({ offset: keptFrom });
  const tail = await under.engine.locateJournal({ containerId: id, tail: 2 });
  expect(Buffer.from((await read(tail.offset)).bytes).toString()).toMatch(/ 59999\n.* 60000\n$/);
  const since = await under.engine.locateJournal({
    containerId: id,
    since: "2020-01-01T00:00:00Z",
  });
  expect(since.offset).toBe(keptFrom);
});

test("a session that is slower than the bound allows is told of each part that it missed", async () => {
  const id = await under.run(
    "for i in 1 2 3; do seq 1 30000; until [ -e /go$i ]; do sleep 0.02; done; done; echo end",
  );
  const session = await TestSession.open(under, id, { from: "start" });
  session.onChange = () => undefined;
  let keptFrom = 0;
  for (const round of [1, 2, 3]) {
    keptFrom = await shortened(id, keptFrom);
    session.read();
    await exec(under, id, `touch /go${round}`);
  }
  await session.ended();
  expect(session.text()).toMatch(/\n30000\nend\n$/);
  const missing = session.gaps.reduce((sum, { from, to }) => sum + to - from, 0);
  expect(missing).toBeGreaterThan(bytesMax);
});
