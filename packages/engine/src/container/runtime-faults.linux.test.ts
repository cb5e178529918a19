/** conmon and the OCI runtime fail, hang or are slow: every call ends by its deadline, says why, leaves nothing, and can be made again. */
import { dirname, join } from "node:path";

import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ErrorCode } from "@podfleet/model/errors";
import { execSpecSchema } from "@podfleet/model/exec";
import type { ContainerId } from "@podfleet/model/ids";
import { FailPoints } from "@podfleet/testkit/fail-points";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { EngineUnderTest, type Verb } from "../test-engine.ts";
import { newExecId } from "../test-exec.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open();
  const failPoints = await FailPoints.install(join(dirname(under.options.dataRoot), "fail-points"));
  await under.reopen({ toolDirectories: [failPoints.directory], runtimeTimeoutMs: 4_000 });
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

const start = { verb: "container.start", recursive: false } as const;
const stop = { verb: "container.stop", timeoutSeconds: 0 } as const;
const pause = { verb: "container.pause" } as const;
const update = { verb: "container.update", resources: { pidsLimit: 99 } } as const;
/** Unpauses too when it is paused already. */
const pauseAndUnpause: Verb = {
  verb: "container.batch",
  steps: [{ verb: "container.pause" }, { verb: "container.unpause" }],
  continueOnError: true,
};
const sync = { verb: "container.sync" } as const;
const exec = (): Verb => ({
  verb: "exec.start",
  execId: newExecId(),
  spec: execSpecSchema.parse({ command: ["true"] }),
});

type State = ContainerSnapshot["state"];
type Row = readonly [
  at: string,
  verb: Verb | (() => Verb),
  expected: { readonly code?: ErrorCode; readonly state: State; readonly again: State },
];

const beforeStart: Row[] = [
  ["conmon create: before fail", start, { code: "RUNTIME_FAILED", ...unstarted() }],
  ["conmon create: before hang", start, { code: "RUNTIME_TIMEOUT", ...unstarted() }],
  ["conmon create: after hang", start, { code: "RUNTIME_TIMEOUT", ...unstarted() }],
  ["runc create: before fail", start, { code: "RUNTIME_FAILED", ...unstarted() }],
  ["runc create: after fail", start, { code: "RUNTIME_FAILED", ...unstarted() }],
  ["runc create: before hang", start, { code: "RUNTIME_TIMEOUT", ...unstarted() }],
  ["runc create: after hang", start, { code: "RUNTIME_TIMEOUT", ...unstarted() }],
  ["runc start: before fail", start, { code: "RUNTIME_FAILED", ...unstarted() }],
  ["runc start: before hang", start, { code: "RUNTIME_TIMEOUT", ...unstarted() }],
  ["runc start: after hang", start, { code: "RUNTIME_TIMEOUT", ...unstarted() }],
  ["conmon create: before delay 1", start, { state: "running", again: "running" }],
  ["runc start: after delay 1", start, { state: "running", again: "running" }],
];

const whileRunning: Row[] = [
  ["runc kill: before fail", stop, { code: "RUNTIME_FAILED", ...unended() }],
  ["runc kill: before hang", stop, { code: "RUNTIME_TIMEOUT", ...unended() }],
  // The process has ended, whatever became of the call; cleaning up follows by itself.
  ["runc kill: after hang", stop, { code: "RUNTIME_TIMEOUT", state: "exited", again: "exited" }],
  ["runc delete: before fail", stop, { code: "RUNTIME_FAILED", state: "exited", again: "exited" }],
  ["runc delete: before hang", stop, { code: "RUNTIME_TIMEOUT", state: "exited", again: "exited" }],
  ["runc delete: after hang", stop, { code: "RUNTIME_TIMEOUT", state: "exited", again: "exited" }],
  ["runc pause: before fail", pause, { code: "RUNTIME_FAILED", state: "running", again: "paused" }],
  [
    "runc pause: before hang",
    pause,
    { code: "RUNTIME_TIMEOUT", state: "running", again: "paused" },
  ],
  [
    "runc resume: before fail",
    pauseAndUnpause,
    { code: "RUNTIME_FAILED", state: "paused", again: "running" },
  ],
  [
    "runc resume: before hang",
    pauseAndUnpause,
    { code: "RUNTIME_TIMEOUT", state: "paused", again: "running" },
  ],
  [
    "runc update: before fail",
    update,
    { code: "RUNTIME_FAILED", state: "running", again: "running" },
  ],
  [
    "runc update: before hang",
    update,
    { code: "RUNTIME_TIMEOUT", state: "running", again: "running" },
  ],
  ["runc state: before fail", sync, { code: "RUNTIME_FAILED", state: "running", again: "running" }],
  [
    "runc state: before hang",
    sync,
    { code: "RUNTIME_TIMEOUT", state: "running", again: "running" },
  ],
  [
    "conmon exec: before hang",
    exec,
    { code: "RUNTIME_TIMEOUT", state: "running", again: "running" },
  ],
  ["runc exec: before fail", exec, { code: "RUNTIME_FAILED", state: "running", again: "running" }],
  ["runc exec: before hang", exec, { code: "RUNTIME_TIMEOUT", state: "running", again: "running" }],
];

/** It was not started, and is when that is tried again. */
function unstarted() {
  return { state: "configured", again: "running" } as const;
}

function unended() {
  return { state: "running", again: "exited" } as const;
}

async function create(at: string): Promise<ContainerId> {
  return await under.create({ annotations: FailPoints.annotations(at) });
}

/** Performs it, and once more when things have settled. */
async function performTwice(id: ContainerId, [, verb, { state, again }]: Row) {
  const perform = async () => await under.perform(id, typeof verb === "function" ? verb() : verb);
  const first = await perform();
  await under.inState(id, state);
  if (state === "configured" || state === "exited") await nothingLeft(id);
  const sessions = under.engine.execs.list(id).length;
  await perform();
  await under.inState(id, again);
  await under.remove(id);
  return { code: first.status === "failed" ? first.error.code : undefined, sessions };
}

async function nothingLeft(id: ContainerId): Promise<void> {
  const { dataRoot, cgroupParent } = under.options;
  await waitFor(
    async () => {
      const leaks = await findLeaks(dirname(dataRoot), cgroupParent);
      return !leaks.some((leak) => leak.includes(id));
    },
    { what: `the remains of ${id} to go` },
  );
}

describe("a call that fails, hangs or is slow", () => {
  test.concurrent.each(beforeStart)("%s, during a start", async (...row) => {
    const found = await performTwice(await create(row[0]), row);
    expect(found).toEqual({ code: row[2].code, sessions: 0 });
  });

  test.concurrent.each(whileRunning)("%s, while it runs", async (...row) => {
    const id = await create(row[0]);
    await under.start(id);
    expect(await performTwice(id, row)).toEqual({ code: row[2].code, sessions: 0 });
  });
});
