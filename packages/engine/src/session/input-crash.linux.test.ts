/** The agent is killed while sessions write; whatever it was at, every byte of theirs reaches the command once. */
import { newSessionId } from "@podfleet/model/ids";
import { testEffort } from "@podfleet/testkit/effort";
import { SeededRandom, printedSeed } from "@podfleet/testkit/seed";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest } from "../test-engine.ts";
import { TestSession } from "../test-session.ts";
import { inputOf, testInput, writeAndCrash } from "../test-writing-engine.ts";

let under: EngineUnderTest;
beforeAll(async () => {
  under = await EngineUnderTest.open();
});
afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

test("with three writers", { timeout: 60_000 * testEffort }, async () => {
  const id = await under.run("cat", { stdin: true });
  const { dataRoot, runRoot, cgroupParent, runtime } = under.options;
  const options = { dataRoot, runRoot, cgroupParent, runtime };
  const sessions = [newSessionId(), newSessionId(), newSessionId()];
  await under.close();
  const random = new SeededRandom(printedSeed("kills of the agent"));
  for (let kills = 0; kills < 4 * testEffort; kills += 1) {
    const plan = { options, containerId: id, sessions, seed: random.below(2 ** 31) };
    await writeAndCrash(plan, random);
  }
  await under.reopen();
  const writers = await Promise.all(
    sessions.map((sessionId) =>
      TestSession.open(under, id, { input: "shared" }, { sessionId, caller: "writer" }),
    ),
  );
  const taken = writers.map(({ attachment }) => attachment.input?.position()?.seq ?? 0);
  expect(Math.min(...taken)).toBeGreaterThan(0);
  const reader = await TestSession.open(under, id, { from: "start" });
  for (const writer of writers) writer.endInput();
  await reader.ended();
  const output = Buffer.concat(reader.stdout);
  for (const [writer, seq] of taken.entries()) {
    expect(inputOf(writer, output).equals(testInput(writer, 0, seq)), `writer ${writer}`).toBe(
      true,
    );
  }
});
