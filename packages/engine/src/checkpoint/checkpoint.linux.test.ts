import {
  EngineUnderTest,
  failureOf,
  createVerb,
  type Verb,
} from "@podfleet/testkit/engine-under-test";
import { afterAll, beforeAll, expect, test } from "vitest";

let engine: EngineUnderTest;
beforeAll(async () => {
  engine = await EngineUnderTest.open();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

/** Counts in memory, once every 50 ms. */
const counter = "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.05; done";

const checkpoint = {
  verb: "container.checkpoint",
  keep: false,
  leaveRunning: false,
  tcpEstablished: false,
  fileLocks: false,
  archive: false,
  ignoreRootfs: false,
} as const satisfies Verb;

const restore = {
  verb: "container.restore",
  keep: false,
  tcpEstablished: false,
  fileLocks: false,
  ignoreStaticIp: false,
  ignoreStaticMac: false,
} as const satisfies Verb;

test("K1 O110 O111 a counter goes on at its count after checkpoint and restore", async () => {
  const id = await engine.run(counter);
  await engine.printed(id, "\n5\n");
  const saved = await engine.do(id, checkpoint);
  expect(saved).toMatchObject({ state: "exited", checkpoint: { endedRun: 1, forArchive: false } });
  const before = await engine.output(id);
  const restored = await engine.do(id, restore);
  expect(restored).toMatchObject({ state: "running", run: 2, restoredRun: 2 });
  const count = Number(before.trimEnd().split("\n").at(-1));
  await engine.printed(id, `\n${count + 3}\n`);
  console.log(await engine.output(id));
  await engine.stop(id, 0);
});
