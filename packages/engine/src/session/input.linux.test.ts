import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest } from "../test-engine.ts";
import { exec, start } from "../test-exec.ts";
import { TestSession } from "../test-session.ts";

let under: EngineUnderTest;
beforeAll(async () => {
  under = await EngineUnderTest.open();
});
afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const exited = (exitCode: number) => ({ exitCode, exitUnknown: false, timedOut: false });
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

test("A4, O44: what is written arrives, and the end of input ends the command", async () => {
  const id = await under.run("cat; echo end >&2", { stdin: true });
  const session = await TestSession.open(under, id, { input: "shared" });
  await session.write("one\n");
  await session.printed("one\n");
  await session.write("two");
  session.endInput();
  expect(await session.ended()).toEqual(exited(0));
  expect([session.text(), session.text("stderr")]).toEqual(["one\ntwo", "end\n"]);
});

test("O8: an end of input before anything was written", async () => {
  const id = await under.run("cat && echo X", { stdin: true });
  const session = await TestSession.open(under, id, { input: "exclusive", from: "start" });
  session.endInput();
  expect(await session.ended()).toEqual(exited(0));
  expect(session.text()).toBe("X\n");
});

test("A12: binary of all values and 4 MiB of it, unchanged, also when the end comes before the start", async () => {
  const id = await under.create({ command: ["cat"], stdin: true });
  const session = await TestSession.open(under, id, { run: "next", input: "shared" });
  await under.start(id);
  const bytes = Buffer.concat([
    Buffer.from(Array.from({ length: 256 }, (_, value) => value)),
    randomBytes(4 * 1024 * 1024),
  ]);
  await session.write(bytes);
  session.endInput();
  expect(await session.ended()).toEqual(exited(0));
  expect(sha256(Buffer.concat(session.stdout))).toBe(sha256(bytes));
});

test("O11: an exec session without a terminal in a container that has one", async () => {
  const id = await under.run("sleep 600", { tty: true });
  const { id: execId } = await start(under, id, "cat", { stdin: true });
  const session = await TestSession.open(under, id, { execId, input: "shared", from: "start" });
  await session.write("x\n");
  await session.printed("x\n");
  session.endInput();
  expect(await session.ended()).toEqual(exited(0));
});

test("A6, O58: a terminal has its size from the beginning, and gets another while it runs", async () => {
  const script =
    "trap 'echo WINCH; stty size' WINCH; stty size; while [ ! -e /end ]; do sleep 0.02; done";
  const id = await under.create({ command: ["sh", "-c", script], stdin: true, tty: true });
  const terminalSize = { height: 40, width: 123 };
  const session = await TestSession.open(under, id, { run: "next", input: "shared", terminalSize });
  await under.start(id);
  await session.printed("40 123");
  await session.attachment.resize({ height: 50, width: 132 });
  await session.printed("WINCH\r\n50 132");
  await under.engine.resize(id, { height: 24, width: 80 });
  await session.printed("24 80");
  await exec(under, id, "touch /end");
  expect(await session.ended()).toEqual(exited(0));
});

test("A6: of sizes that are set one after the other, the last one stays", async () => {
  const script = 'while read word; do echo "$word $(stty size)"; done';
  const id = await under.create({ command: ["sh", "-c", script], stdin: true, tty: true });
  const session = await TestSession.open(under, id, { run: "next", input: "shared" });
  await under.start(id);
  for (let height = 21; height <= 40; height += 1) {
    for (let width = 41; width <= 50; width += 1) {
      await under.engine.resize(id, { height, width });
    }
    await session.attachment.resize({ height, width: 99 });
    await session.write(`go${height}\n`);
    await session.printed(`go${height} ${height} 99\r\n`);
  }
  session.endInput();
  expect(session.gaps).toEqual([]);
});

test.each(["", "5", "-5 -5", "x y", "99999 99999", "1 ".repeat(300)])(
  "O63: %j, which is no size, is passed over, and a later size holds",
  async (line) => {
    const script = "while read go; do stty size; done";
    const id = await under.run(script, { stdin: true, tty: true });
    const session = await TestSession.open(under, id, { input: "shared" });
    writeFileSync(join(under.options.runRoot, "bundles", id, "winsz"), `${line}\n`);
    await session.write("go\n");
    // conmon drops a size that it reads together with what is before it.
    const holds = async (): Promise<boolean> => {
      await under.engine.resize(id, { height: 31, width: 97 });
      await session.write("go\n");
      session.read();
      return session.text().includes("31 97\r\n");
    };
    await waitFor(holds, { what: "the size to hold" });
    expect(await under.stop(id, 0)).toMatchObject({ exitCode: 137 });
  },
);

test("A6: an exec session's terminal has its size from the beginning", async () => {
  const id = await under.run("sleep 600");
  const terminalSize = { height: 33, width: 99 };
  const { id: execId } = await start(under, id, "stty size; cat", {
    tty: true,
    stdin: true,
    terminalSize,
  });
  const session = await TestSession.open(under, id, { execId, input: "shared", from: "start" });
  await session.printed("33 99");
  await session.write("\u0004");
  expect(await session.ended()).toEqual(exited(0));
});
