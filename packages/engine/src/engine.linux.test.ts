import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import { invariant } from "@podfleet/base/invariant";
import type { Action } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { containerSpecSchema } from "@podfleet/model/container/spec";
import { type ContainerId, newContainerId, newOperationId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";
import { endProcess, findStartTicks, isAlive } from "@podfleet/oci/process/process-identity";
import { runtimeNames } from "@podfleet/oci/runtime/runtime";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { Engine } from "./engine.ts";
import { hashAction } from "./operation/action-hash.ts";
import type { OperationRequest } from "./operation/operation-runner.ts";
import { StateStore } from "./state/state-store.ts";
import { type CrashPlan, performAndCrash } from "./test-crashing-engine.ts";
import { EngineUnderTest } from "./test-engine.ts";

let under: EngineUnderTest;
/** Runs through all that is done to the engine. */
let bystander: ContainerSnapshot;

beforeAll(async () => {
  under = await EngineUnderTest.open();
  bystander = await under.start(await under.create({ name: "bystander" }));
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

function expectBystanderAlive(): void {
  expect(under.snapshot(bystander.id)).toEqual(bystander);
}

type Crash = Pick<CrashPlan, "dieAfter">;

/** Performs an operation in a process that is killed on the way, and then again in a new engine. */
async function performThroughCrash(action: Action, crash: Crash) {
  const request: OperationRequest = { operationId: newOperationId(), action };
  await under.close();
  await performAndCrash({ options: under.options, requests: [request], ...crash });
  await under.reopen();
  return await under.engine.perform(request);
}

/** Resumes an operation that an engine has recorded and done nothing for. */
async function resume(action: Action): Promise<OperationOutcome> {
  const request: OperationRequest = { operationId: newOperationId(), action };
  await under.close();
  const store = StateStore.open(join(under.options.dataRoot, "engine.sqlite"), systemClock);
  const entry = { id: request.operationId, action, actionHash: hashAction(action) };
  store.operations.begin({ ...entry, startedAtMs: Date.now() });
  store.close();
  await under.reopen();
  return await under.engine.perform(request);
}

async function expectNothingLeft(id: ContainerId): Promise<void> {
  const { dataRoot, runRoot, cgroupParent } = under.options;
  await waitFor(
    async () => {
      const leaks = [...(await findLeaks(dataRoot, cgroupParent)), ...(await findLeaks(runRoot))];
      return !leaks.some((leak) => leak.includes(id));
    },
    { what: `the remains of ${id} to go` },
  );
  expect(existsSync(join(dataRoot, "containers", id))).toBe(false);
  expect(existsSync(join(runRoot, "bundles", id))).toBe(false);
  expect(existsSync(join(runRoot, "runtime", id))).toBe(false);
}

const counting = { command: ["sh", "-c", "echo run; exec sleep 600"] };

const startCrashes: Crash[] = [{ dieAfter: "container.init" }];
const stopCrashes: Crash[] = [{ dieAfter: "container.died" }, { dieAfter: "container.cleanup" }];
const removeCrashes: Crash[] = [{ dieAfter: "container.died" }, { dieAfter: "container.cleanup" }];

describe("kill -9 of the engine", () => {
  test.each(startCrashes)("during a start: it is started once (%o)", async (crash) => {
    const id = await under.create(counting);
    const action = { verb: "container.start", containerId: id, recursive: false } as const;
    const outcome = await performThroughCrash(action, crash);
    expect(outcome).toMatchObject({ status: "succeeded", container: { state: "running", run: 1 } });
    await under.printed(id, "run\n");
    const { pid } = under.snapshot(id);
    await under.reopen();
    expect(under.snapshot(id)).toMatchObject({ state: "running", run: 1, pid });
    expect(await under.output(id)).toBe("run\n");
    expectBystanderAlive();
    await under.remove(id);
    await expectNothingLeft(id);
  });

  test.each(stopCrashes)("during a stop: it is stopped (%o)", async (crash) => {
    const id = await under.run(
      "trap 'sleep 0.05; exit 3' TERM; echo run; while :; do sleep 0.02; done",
    );
    await under.printed(id, "run\n");
    const action = { verb: "container.stop", containerId: id } as const;
    const outcome = await performThroughCrash(action, crash);
    expect(outcome).toMatchObject({ status: "succeeded" });
    expect(under.snapshot(id)).toMatchObject({ state: "exited", exitedRun: 1, exitCode: 3 });
    expectBystanderAlive();
    await under.remove(id);
    await expectNothingLeft(id);
  });

  test.each(removeCrashes)("X4: during a removal: it is removed (%o)", async (crash) => {
    const id = await under.run("exec sleep 600");
    const action = {
      verb: "container.remove",
      containerId: id,
      force: true,
      dependents: false,
    } as const;
    const outcome = await performThroughCrash(action, crash);
    expect(outcome).toMatchObject({ status: "succeeded", container: { exitCode: 137 } });
    expect(under.engine.containers().some((container) => container.id === id)).toBe(false);
    await expectNothingLeft(id);
    expectBystanderAlive();
  });

  test("during a kill: SIGKILL is sent again, another signal is not", async () => {
    const id = await under.run("trap 'echo got' USR1; echo run; while :; do sleep 0.02; done");
    await under.printed(id, "run");
    const interrupted = await resume({ verb: "container.kill", containerId: id, signal: 10 });
    expect(interrupted).toMatchObject({ status: "failed", error: { code: "INTERRUPTED" } });
    expect(under.snapshot(id).state).toBe("running");
    const killed = await resume({ verb: "container.kill", containerId: id, signal: 9 });
    expect(killed.status).toBe("succeeded");
    expect(await under.exited(id)).toMatchObject({ exitCode: 137 });
    const again = await resume({ verb: "container.kill", containerId: id, signal: 9 });
    expect(again.status).toBe("succeeded");
  });

  test("after the journal's entry: the rest is done by the next engine", async () => {
    const id = newContainerId();
    const spec = containerSpecSchema.parse({ image: "busybox" });
    const created = await resume({ verb: "container.create", containerId: id, name: "late", spec });
    expect(created).toMatchObject({ status: "succeeded", container: { state: "configured" } });
    const synced = await resume({ verb: "container.sync", containerId: id });
    expect(synced.status).toBe("succeeded");
    const removed = await resume({
      verb: "container.remove",
      containerId: id,
      force: false,
      dependents: false,
    });
    expect(removed.status).toBe("succeeded");
    const upload = { verb: "image.load", uploadId: newOperationId(), sizeBytes: 1 } as const;
    expect(await resume(upload)).toMatchObject({
      status: "failed",
      error: { code: "INTERRUPTED" },
    });
  });
});

describe("a new engine on the same directories", () => {
  test("finds running containers with the same processes, and ends that came meanwhile", async () => {
    const id = await under.run("until [ -e /go ]; do sleep 0.02; done; exit 6");
    await under.close();
    await under.touch(id, "/go");
    const exitFile = join(under.options.runRoot, "exits", id);
    await waitFor(() => existsSync(exitFile), { what: "the exit file" });
    await under.reopen();
    expect(await under.exited(id)).toMatchObject({ exitCode: 6, exitUnknown: false });
    expectBystanderAlive();
  });

  test.each(runtimeNames)("finds created containers of %s as they were", async (runtime) => {
    await using host = await EngineUnderTest.open(runtime);
    const id = await host.create();
    const created = await host.do(id, { verb: "container.init" });
    await host.reopen();
    expect(host.snapshot(id)).toEqual(created);
    expect(await host.start(id)).toMatchObject({ state: "running", run: 1, pid: created.pid });
  });

  test("is refused while another has them open", async () => {
    await expect(Engine.open(under.options)).rejects.toMatchObject({ code: "INVALID_INPUT" });
  });

  test("goes on with the event numbers and the outcomes", async () => {
    const id = await under.create();
    const request = {
      operationId: newOperationId(),
      action: { verb: "container.start", containerId: id, recursive: false },
    } as const;
    const outcome = await under.engine.perform(request);
    const lastSeq = under.engine.outbox.lastSeq();
    await under.reopen();
    expect(under.engine.outbox.lastSeq()).toBe(lastSeq);
    expect(await under.engine.perform(request)).toEqual(outcome);
    const seqs = under.engine.outbox.after(0, 100_000).map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: lastSeq }, (_, index) => index + 1));
  });
});

describe("X6: a reboot", () => {
  async function endProcesses({ pid, monitorPid }: ContainerSnapshot): Promise<void> {
    for (const one of [monitorPid, pid]) {
      invariant(one, "it runs");
      await endProcess({ pid: one, startTicks: findStartTicks(one) ?? 0 }, 5_000, systemClock);
    }
  }

  test("a running container has exited, how is unknown; the rest is as it was", async () => {
    await using host = await EngineUnderTest.open();
    const running = await host.start(await host.create());
    const created = await host.do(await host.create(), { verb: "container.init" });
    const configured = host.snapshot(await host.create());
    const exited = await host.exited(await host.run("exit 4"));
    await host.close();
    await endProcesses(running);
    await endProcesses(created);
    const store = StateStore.open(join(host.options.dataRoot, "engine.sqlite"), systemClock);
    store.saveBootId("an earlier boot");
    store.close();
    await host.reopen();
    expect(await host.exited(running.id)).toMatchObject({ exitUnknown: true, exitedRun: 1 });
    expect(await host.exited(created.id)).toMatchObject({ exitUnknown: false, exitedRun: 0 });
    expect(host.snapshot(configured.id)).toEqual(configured);
    expect(host.snapshot(exited.id)).toEqual(exited);
    expect(await host.start(running.id)).toMatchObject({ state: "running", run: 2 });
  });

  test("without the runtime directory, processes that are left are ended", async () => {
    await using host = await EngineUnderTest.open();
    const running = await host.start(await host.create());
    const { pid } = running;
    invariant(pid, "it runs");
    const startTicks = findStartTicks(pid) ?? 0;
    await host.close();
    await rm(host.options.runRoot, { recursive: true });
    await host.reopen();
    expect(await host.exited(running.id)).toMatchObject({ exitUnknown: true });
    expect(isAlive({ pid, startTicks })).toBe(false);
    expect(await host.start(running.id)).toMatchObject({ state: "running", run: 2 });
  });
});
