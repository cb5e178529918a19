/** The engine is killed at many points of a checkpoint, a restore and an import: the next one ends each of them once. */
import { existsSync } from "node:fs";
import { join } from "node:path";

import type { Action } from "@podfleet/model/action";
import { type ContainerId, newContainerId, newOperationId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { performAndCrash } from "../test-crashing-engine.ts";
import { EngineUnderTest } from "../test-engine.ts";

let engine: EngineUnderTest;
beforeAll(async () => {
  engine = await EngineUnderTest.open();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
});

const counter = "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.05; done";
const off = { keep: false, tcpEstablished: false, fileLocks: false };
const saving = { ...off, leaveRunning: false, archive: true, ignoreRootfs: false };
const restoring = { ...off, ignoreStaticIp: false, ignoreStaticMac: false };

type Crash = { readonly dieAfter: string } | { readonly killAfterMs: number };

/** Performs `action` in an engine that is killed, then lets the next engine end it. */
async function endAfterCrash(action: Action, crash: Crash): Promise<OperationOutcome> {
  const { dataRoot, runRoot, cgroupParent, runtime } = engine.options;
  const request = { operationId: newOperationId(), action };
  await engine.close();
  await performAndCrash({
    options: { dataRoot, runRoot, cgroupParent, runtime },
    requests: [request],
    ...crash,
  });
  await engine.reopen();
  return await engine.engine.perform(request);
}

async function count(id: ContainerId): Promise<number> {
  return Number((await engine.output(id)).trimEnd().split("\n").at(-1));
}

/** Each number once and in order: nothing ran twice, and nothing was left out. */
async function hasCountedOn(id: ContainerId, from: number): Promise<void> {
  await waitFor(async () => (await count(id)) >= from + 5, { what: `${id} to count on` });
  const numbers = (await engine.output(id)).trimEnd().split("\n").map(Number);
  const start = numbers[0] ?? 0;
  expect(numbers).toEqual(numbers.map((_, position) => start + position));
}

const points: readonly Crash[] = [
  ...["container.died", "container.cleanup", "container.checkpoint"].map((dieAfter) => ({
    dieAfter,
  })),
  ...[120, 260].map((killAfterMs) => ({ killAfterMs })),
];

describe("a checkpoint that is cut off", () => {
  test.each(points)("%o", async (crash) => {
    const id = await engine.run(counter);
    await engine.printed(id, "\n3\n");
    const outcome = await endAfterCrash(
      { verb: "container.checkpoint", containerId: id, ...saving },
      crash,
    );
    expect(outcome).toMatchObject({ status: "succeeded" });
    expect(engine.snapshot(id)).toMatchObject({
      state: "exited",
      checkpoint: { forArchive: true },
    });
    const directory = join(engine.options.dataRoot, "containers", id);
    expect(existsSync(join(directory, "checkpoint.new"))).toBe(false);
    expect(existsSync(join(directory, "checkpoint", "rootfs.tar"))).toBe(true);
    const last = await count(id);
    await engine.do(id, { verb: "container.restore", ...restoring });
    await hasCountedOn(id, last);
    await engine.remove(id);
  });

  test.each([180, 300].map((killAfterMs) => ({ killAfterMs })))(
    "that leaves it running, %o",
    async (crash) => {
      const id = await engine.run(counter);
      await engine.printed(id, "\n3\n");
      const action = { verb: "container.checkpoint", containerId: id, ...saving } as const;
      const outcome = await endAfterCrash({ ...action, leaveRunning: true }, crash);
      expect(outcome).toMatchObject({ status: "succeeded" });
      expect(engine.snapshot(id)).toMatchObject({ state: "running", run: 1 });
      await hasCountedOn(id, await count(id));
      await engine.remove(id);
    },
  );
});

describe("a restore that is cut off", () => {
  test.each([
    { dieAfter: "container.restore" },
    ...[140, 260].map((killAfterMs) => ({ killAfterMs })),
  ])("%o", async (crash) => {
    const id = await engine.run(counter);
    await engine.printed(id, "\n3\n");
    await engine.do(id, { verb: "container.checkpoint", ...saving });
    const last = await count(id);
    const action = { verb: "container.restore", containerId: id, ...restoring } as const;
    expect(await endAfterCrash(action, crash)).toMatchObject({ status: "succeeded" });
    expect(engine.snapshot(id)).toMatchObject({ state: "running", run: 2, restoredRun: 2 });
    await hasCountedOn(id, last);
    await engine.stop(id, 0);
    expect(engine.snapshot(id)).toMatchObject({ state: "exited", exitCode: 137, exitedRun: 2 });
    await engine.remove(id);
  });
});

describe("an import that is cut off", () => {
  test.each([
    { dieAfter: "container.create" },
    { dieAfter: "container.restore" },
    ...[180].map((killAfterMs) => ({ killAfterMs })),
  ])("%o", async (crash) => {
    const source = await engine.run(counter);
    await engine.printed(source, "\n3\n");
    await engine.do(source, { verb: "container.checkpoint", ...saving });
    const { uploadId, sizeBytes } = await upload(source);
    const copy = newContainerId();
    const what = { containerId: copy, name: `copy-${copy.slice(0, 8)}`, uploadId, sizeBytes };
    const action = {
      verb: "container.import",
      ...what,
      ...restoring,
      ignoreRootfs: false,
    } as const;
    expect(await endAfterCrash(action, crash)).toMatchObject({ status: "succeeded" });
    expect(engine.snapshot(copy)).toMatchObject({ state: "running", run: 1, restoredRun: 1 });
    await hasCountedOn(copy, await count(source));
    await engine.remove(copy);
    await engine.remove(source);
  });
});

/** Hands the checkpoint's archive in again, as a caller would on another host. */
async function upload(containerId: ContainerId) {
  const { transferId } = await engine.engine.openTransfer({ kind: "checkpoint", containerId });
  const uploadId = newOperationId();
  let sizeBytes = 0;
  for (let ended = false; !ended;) {
    const range = { offset: sizeBytes, bytesMax: 512 * 1024 };
    const piece = await engine.engine.readTransfer(transferId, range, AbortSignal.any([]));
    await engine.engine.appendUploadChunk(uploadId, sizeBytes, piece.bytes);
    ({ next: sizeBytes, ended } = piece);
  }
  await engine.engine.closeTransfer(transferId);
  return { uploadId, sizeBytes };
}
