import { newContainerId } from "@podfleet/model/ids";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest, failureOf } from "../test-engine.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

test("W1: all waiters get the code when the process has ended, before the container is cleaned up", async () => {
  const id = await under.run("until [ -e /go ]; do sleep 0.02; done; exit 3");
  const order: string[] = [];
  under.engine.outbox.onAppend(({ type, containerId }) => {
    if (containerId === id && type === "container.cleanup") order.push(type);
  });
  const wait = { containerId: id, condition: "exit", timeoutMs: 10_000 } as const;
  const waits = Array.from({ length: 5 }, async () => {
    const answer = await under.engine.wait(wait);
    order.push("told");
    return answer;
  });
  await under.touch(id, "/go");
  for (const answer of await Promise.all(waits)) {
    expect(answer).toMatchObject({ state: "met", run: 1, exitCode: 3, exitUnknown: false });
  }
  await under.exited(id);
  expect(order).toEqual(["told", "told", "told", "told", "told", "container.cleanup"]);
});

test("W2, O81: an exited container's code is there at once", async () => {
  const id = await under.run("exit 99");
  await under.exited(id);
  const answer = await under.engine.wait({ containerId: id, condition: "exit", timeoutMs: 0 });
  expect(answer).toMatchObject({ state: "met", exitCode: 99 });
});

test("W3: who waits for a container that is removed by force gets 137, also when asking again later", async () => {
  const id = await under.create();
  await under.start(id);
  const waiting = under.engine.wait({ containerId: id, condition: "exit", timeoutMs: 10_000 });
  const removed = under.engine.wait({ containerId: id, condition: "removed", timeoutMs: 10_000 });
  await under.remove(id);
  await expect(waiting).resolves.toMatchObject({ state: "met", run: 1, exitCode: 137 });
  await expect(removed).resolves.toMatchObject({ state: "met", exitCode: 137 });
  const later = await under.engine.wait({
    containerId: id,
    condition: "exit",
    run: 1,
    timeoutMs: 0,
  });
  expect(later).toMatchObject({ state: "met", exitCode: 137 });
});

test("W4: a wait that goes on after the next run began gives the code of its own run", async () => {
  const script = "until [ -e /go ]; do sleep 0.02; done; echo run >> /runs; exit $(wc -l < /runs)";
  const id = await under.run(script);
  const first = await under.engine.wait({ containerId: id, condition: "exit", timeoutMs: 0 });
  expect(first).toEqual({ state: "pending", run: 1 });
  await under.touch(id, "/go");
  await under.exited(id);
  await under.start(id);
  await under.exited(id);
  const wait = { containerId: id, condition: "exit", timeoutMs: 0 } as const;
  expect(await under.engine.wait({ ...wait, run: 1 })).toMatchObject({ run: 1, exitCode: 1 });
  expect(await under.engine.wait(wait)).toMatchObject({ run: 2, exitCode: 2 });
});

test("W5: states are waited for, and a wait that is given up leaves nothing", async () => {
  const id = await under.create({ command: ["sh", "-c", "sleep 0.2"] });
  const states = ["created", "running", "stopped", "exited"] as const;
  const waits = states.map((condition) =>
    under.engine.wait({ containerId: id, condition, timeoutMs: 10_000 }),
  );
  await under.start(id);
  const answers = await Promise.all(waits);
  expect(answers.map((answer) => answer.state === "met" && answer.container.state)).toEqual(states);

  const cancel = new AbortController();
  const never = under.engine.wait(
    { containerId: id, condition: "paused", timeoutMs: 60_000 },
    cancel.signal,
  );
  cancel.abort();
  await expect(never).rejects.toMatchObject({ code: "CANCELLED" });
});

test("O82: a wait that is open while the container is stopped gets the process's own code", async () => {
  const id = await under.run("trap 'exit 99' TERM; echo ready; while :; do sleep 0.05; done");
  await under.printed(id, "ready");
  const waiting = under.engine.wait({ containerId: id, condition: "exit", timeoutMs: 20_000 });
  await under.stop(id);
  expect(await waiting).toMatchObject({ state: "met", exitCode: 99 });
});

test.each(["exit", "next-exit", "stopped", "exited", "removed"] as const)(
  "O83: a wait for %s is open while it runs, and gets the code of its end",
  async (condition) => {
    const script = "trap 'exit 99' TERM; echo ready; while :; do sleep 0.05; done";
    const id = await under.run(script, { autoRemove: condition === "removed" });
    await under.printed(id, "ready");
    const wait = { containerId: id, condition };
    expect(await under.engine.wait({ ...wait, timeoutMs: 50 })).toMatchObject({ state: "pending" });
    const waiting = under.engine.wait({ ...wait, timeoutMs: 20_000 });
    await under.kill(id, 15);
    expect(await waiting).toMatchObject({ state: "met", run: 1, exitCode: 99 });
  },
);

test("O89: a wait after a start that failed does not hang, and has no code of success", async () => {
  const id = await under.create({ command: ["nosuch"] });
  const start = { verb: "container.start", recursive: false } as const;
  expect(failureOf(await under.perform(id, start)).code).toBe("COMMAND_NOT_FOUND");
  const answer = await under.engine.wait({ containerId: id, condition: "exit", timeoutMs: 0 });
  expect(answer).toMatchObject({ state: "met", run: 0 });
  expect(answer).not.toHaveProperty("exitCode");
});

test("next-exit waits for a run that has not begun", async () => {
  const id = await under.run("exit 5");
  await under.exited(id);
  const next = under.engine.wait({ containerId: id, condition: "next-exit", timeoutMs: 10_000 });
  await under.start(id);
  await expect(next).resolves.toMatchObject({ run: 2, exitCode: 5 });
});

test("O86: a container that has not run has no run under way", async () => {
  const id = await under.create();
  const answer = await under.engine.wait({ containerId: id, condition: "exit", timeoutMs: 0 });
  expect(answer).toMatchObject({ state: "met", run: 0, exitUnknown: false });
  expect(answer).not.toHaveProperty("exitCode");
});

test("an unknown container, and a state that one that was removed cannot reach, are not found", async () => {
  const unknown = { containerId: newContainerId(), condition: "exit", timeoutMs: 0 } as const;
  await expect(under.engine.wait(unknown)).rejects.toMatchObject({ code: "CONTAINER_NOT_FOUND" });
  const id = await under.create();
  const waiting = under.engine.wait({ containerId: id, condition: "running", timeoutMs: 10_000 });
  await Promise.all([
    expect(waiting).rejects.toMatchObject({ code: "CONTAINER_NOT_FOUND" }),
    under.remove(id),
  ]);
});

test("O90: autoRemove removes the container after its run, and its exit stays known", async () => {
  const id = await under.create({ command: ["sh", "-c", "exit 7"], autoRemove: true });
  await under.start(id);
  const removed = await under.engine.wait({
    containerId: id,
    condition: "removed",
    timeoutMs: 10_000,
  });
  expect(removed).toMatchObject({ state: "met", run: 1, exitCode: 7 });
  expect(under.engine.containers().some((container) => container.id === id)).toBe(false);
});
