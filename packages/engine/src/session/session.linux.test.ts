import { EngineUnderTest } from "@podfleet/testkit/engine-under-test";
import { afterAll, beforeAll, expect, test } from "vitest";

import { exec } from "../exec/test-exec.ts";
import { TestSession } from "./test-session.ts";

let under: EngineUnderTest;
beforeAll(async () => {
  under = await EngineUnderTest.open();
});
afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const exited = (exitCode: number) => ({ exitCode, exitUnknown: false, timedOut: false });

test("A1, A11: a session that is there before the start gets all output, then the exit", async () => {
  const id = await under.create({ command: ["sh", "-c", "echo x; echo y >&2; exit 3"] });
  const session = await TestSession.open(under, id, { run: "next" });
  await under.start(id);
  expect(await session.ended()).toEqual(exited(3));
  expect([session.text(), session.text("stderr")]).toEqual(["x\n", "y\n"]);
  session.attachment.finish();
  expect(under.engine.sessions.list({ sessionId: session.id, all: true })).toMatchObject([
    { run: 1, end: "exited", connected: false, acknowledged: session.offset },
  ]);
});

test("A2: of two sessions both get the output, from where each began", async () => {
  const id = await under.run("echo one; until [ -e /go ]; do sleep 0.02; done; echo two");
  await under.printed(id, "one");
  const [late, early] = await Promise.all([
    TestSession.open(under, id),
    TestSession.open(under, id, { from: "start" }),
  ]);
  await exec(under, id, "touch /go");
  await Promise.all([late.ended(), early.ended()]);
  expect([late.text(), early.text()]).toEqual(["two\n", "one\ntwo\n"]);
});
