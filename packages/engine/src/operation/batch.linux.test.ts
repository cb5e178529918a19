import { execSpecSchema } from "@podfleet/model/exec";
import { newOperationId } from "@podfleet/model/ids";
import type { OperationOutcome, StepResult } from "@podfleet/model/operation";
import type { Step } from "@podfleet/model/verb/batch-verb";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineUnderTest, failureOf } from "../test-engine.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

function exec(...command: string[]): Step {
  return { verb: "exec.start", spec: execSpecSchema.parse({ command }) };
}

const start: Step = { verb: "container.start" };
const pause: Step = { verb: "container.pause" };
const unpause: Step = { verb: "container.unpause" };
const stop: Step = { verb: "container.stop", timeoutSeconds: 0 };

function batch(steps: Step[], continueOnError = false) {
  return { verb: "container.batch", steps, continueOnError } as const;
}

function resultsOf({ steps = [] }: OperationOutcome): StepResult["status"][] {
  return steps.map(({ status }) => status);
}

test("B1: the steps' results come in order, and one operation ends", async () => {
  const id = await under.create();
  const outcome = await under.perform(id, batch([start, exec("true"), pause, unpause, stop]));
  expect(resultsOf(outcome)).toEqual(Array.from({ length: 5 }, () => "succeeded"));
  const [started, executed, paused, unpaused, stopped] = outcome.steps ?? [];
  expect(started).toMatchObject({ container: { state: "running", run: 1 } });
  expect(executed).toMatchObject({ exec: { state: "exited", exitCode: 0 } });
  expect(paused).toMatchObject({ container: { state: "paused" } });
  expect(unpaused).toMatchObject({ container: { state: "running" } });
  expect(stopped).toMatchObject({ container: { state: "exited", exitCode: 137 } });
  const events = under.events(id);
  expect(events.at(-1)).toMatchObject({ type: "operation.finished", operation: { outcome } });
  expect(events.filter(({ operation }) => operation?.outcome).length).toBe(2);
  expect(events.find(({ type }) => type === "container.pause")).toMatchObject({
    operation: { verb: "container.pause", step: 2 },
  });
});

test("B2: after a step that failed the rest is skipped", async () => {
  const id = await under.create();
  const outcome = await under.perform(id, batch([start, unpause, stop]));
  expect(failureOf(outcome)).toMatchObject({ code: "NOT_PAUSED", details: { step: 1 } });
  expect(failureOf(outcome).message).toContain("Step 2 (container.unpause)");
  expect(resultsOf(outcome)).toEqual(["succeeded", "failed", "skipped"]);
  expect(under.snapshot(id).state).toBe("running");
});

test("B2: with continueOnError all steps run, and each result says which failed", async () => {
  const id = await under.create();
  const steps = [unpause, start, exec("sh", "-c", "exit 3"), stop];
  const outcome = await under.perform(id, batch(steps, true));
  expect(resultsOf(outcome)).toEqual(["failed", "succeeded", "failed", "succeeded"]);
  expect(outcome.steps?.[2]).toMatchObject({
    error: { code: "COMMAND_FAILED", details: { exitCode: 3 } },
  });
  expect(under.snapshot(id).state).toBe("exited");
});

test("B3: another caller waits for the batch and acts on what it left", async () => {
  const id = await under.create();
  const first = under.perform(id, batch([start, exec("sleep", "0.3"), stop]));
  const second = under.perform(id, { verb: "container.start", recursive: false });
  expect((await first).status).toBe("succeeded");
  expect(await second).toMatchObject({ container: { state: "running", run: 2 } });
});

test("a rename, an update, a cleanup, a sync, a refresh and a restart are steps", async () => {
  const id = await under.create({ stopTimeoutSeconds: 0 });
  const outcome = await under.perform(
    id,
    batch([
      { verb: "container.rename", name: "stepped" },
      { verb: "container.update", resources: { pidsLimit: 64 } },
      { verb: "container.init" },
      { verb: "container.cleanup" },
      { verb: "container.restart" },
      { verb: "container.refresh" },
      { verb: "container.sync" },
      { verb: "container.kill", signal: 9 },
    ]),
  );
  expect(resultsOf(outcome)).toEqual(Array.from({ length: 8 }, () => "succeeded"));
  const { container, spec } = await under.engine.inspect(id);
  expect(container).toMatchObject({ name: "stepped", run: 2, stoppedByUser: true });
  expect(spec.resources).toEqual({ pidsLimit: 64 });
});

test("a batch that was cut off goes on at the step that it was at; no command runs twice", async () => {
  const id = await under.create();
  const operationId = newOperationId();
  const script = "echo once >> /ran; sleep 2";
  const steps = [start, exec("sh", "-c", script), exec("sh", "-c", "test $(wc -l < /ran) = 1")];
  const request = { operationId, action: { ...batch(steps), containerId: id } };
  const cut = under.engine.perform(request).catch(() => undefined);
  await waitFor(() => under.events(id).some(({ type }) => type === "exec.start"), {
    what: "the command to run",
  });
  const { run } = under.snapshot(id);
  await under.close();
  await cut;
  await under.reopen();
  const outcome = await under.engine.perform(request);
  expect(resultsOf(outcome)).toEqual(["succeeded", "succeeded", "succeeded"]);
  expect(under.snapshot(id).run).toBe(run);
});
