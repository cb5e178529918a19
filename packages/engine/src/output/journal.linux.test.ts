import { appendFile } from "node:fs/promises";

import { parseJournal } from "@podfleet/base/journal-record";
import { type ContainerId, newContainerId } from "@podfleet/model/ids";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest } from "../test-engine.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

/** Reads on until the journal has ended, as `logs --follow` does. */
async function follow(containerId: ContainerId, offset = 0): Promise<string> {
  let text = "";
  for (;;) {
    const request = { containerId, offset, bytesMax: 16 * 1024, waitMs: 10_000 };
    const { bytes, next, ended } = await under.engine.readJournal(request);
    for (const { payload, endsLine } of parseJournal(bytes)) {
      text += Buffer.from(payload).toString() + (endsLine ? "\n" : "");
    }
    if (ended) return text;
    offset = next;
  }
}

test("L2: a follower gets all to the last line, and then the end", async () => {
  const id = await under.run("for i in 1 2 3; do echo line $i; sleep 0.1; done; printf end");
  expect(await follow(id)).toBe("line 1\nline 2\nline 3\nend");
});

test("a follower of a container that is removed after its run loses nothing", async () => {
  const id = await under.run("seq 1 20000; exit 0", { autoRemove: true });
  const lines = Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`);
  expect(await follow(id)).toBe(lines.join(""));
  await under.engine.wait({ containerId: id, condition: "removed", timeoutMs: 10_000 });
  expect(await follow(id)).toBe(lines.join(""));
});

test("a later run's output follows that of the earlier ones", async () => {
  const id = await under.run("echo run");
  await under.exited(id);
  const { offset } = await under.engine.locateJournal({ containerId: id, tail: 0 });
  await under.start(id);
  expect(await follow(id, offset)).toBe("run\n");
  expect(await follow(id)).toBe("run\nrun\n");
});

test("a later run's output begins after the whole records that a killed monitor has left", async () => {
  const id = await under.run("echo run");
  await under.exited(id);
  const { journal } = (await under.engine.inspect(id)).paths;
  await appendFile(journal, "2026-01-01T00:00:00.0+00:00 stdout F cut o");
  await under.start(id);
  expect(await follow(id)).toBe("run\nrun\n");
});

test("a follower sees the runs that a restart policy begins, and then the end", async () => {
  const restartPolicy = { name: "on-failure", retriesMax: 2 } as const;
  const id = await under.run("echo run; exit 1", { restartPolicy });
  expect(await follow(id)).toBe("run\nrun\nrun\n");
});

test("L4: an unknown container has no journal", async () => {
  const request = { containerId: newContainerId(), offset: 0, bytesMax: 16 * 1024, waitMs: 0 };
  await expect(under.engine.readJournal(request)).rejects.toMatchObject({
    code: "CONTAINER_NOT_FOUND",
  });
});
