import { existsSync } from "node:fs";
import { join } from "node:path";

import { type ContainerId, newContainerId, newOperationId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { createVerb, EngineUnderTest, failureOf, type Verb } from "../test-engine.ts";
import { exec } from "../test-exec.ts";

let engine: EngineUnderTest;
let other: EngineUnderTest;
beforeAll(async () => {
  engine = await EngineUnderTest.open();
  other = await EngineUnderTest.open();
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});

/** Counts in memory. */
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

const restoreOptions = {
  keep: false,
  tcpEstablished: false,
  fileLocks: false,
  ignoreStaticIp: false,
  ignoreStaticMac: false,
} as const;
const restore = { verb: "container.restore", ...restoreOptions } as const satisfies Verb;

async function lastCount(host: EngineUnderTest, id: ContainerId): Promise<number> {
  return Number((await host.output(id)).trimEnd().split("\n").at(-1));
}

/** Resolves when the container has counted on from `count`, and checks that it did not begin anew. */
async function countsOn(host: EngineUnderTest, id: ContainerId, count: number): Promise<void> {
  await host.printed(id, `${count + 1}\n${count + 2}\n${count + 3}\n`);
}

describe("in place", () => {
  test("K1 O110 O111 a counter goes on at its count; no process is left in between", async () => {
    const id = await engine.run(counter);
    await engine.printed(id, "\n5\n");
    const { pid } = engine.snapshot(id);
    const saved = await engine.do(id, checkpoint);
    expect(saved).toMatchObject({
      state: "exited",
      exitedRun: 1,
      stoppedByUser: true,
      checkpoint: { endedRun: 1, forArchive: false },
    });
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    const count = await lastCount(engine, id);
    const restored = await engine.do(id, restore);
    expect(restored).toMatchObject({
      state: "running",
      run: 2,
      restoredRun: 2,
      stoppedByUser: false,
    });
    expect(restored.checkpoint).toBeUndefined();
    await countsOn(engine, id, count);
    expect(engine.events(id).map(({ type }) => type)).toEqual([
      "container.create",
      "container.init",
      "container.start",
      "container.died",
      "container.cleanup",
      "container.checkpoint",
      "container.restore",
    ]);
  });

  test("the exit of a restored container is seen, with its code", async () => {
    const id = await engine.run("trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done");
    await engine.printed(id, "ready");
    await engine.do(id, checkpoint);
    await engine.do(id, restore);
    await engine.kill(id, 10);
    expect(await engine.exited(id)).toMatchObject({ exitCode: 7, exitedRun: 2 });
  });

  test("a terminal and an open standard input survive it", async () => {
    const id = await engine.run(counter, { tty: true, stdin: true });
    await engine.printed(id, "\n3\r\n");
    await engine.do(id, checkpoint);
    const count = await lastCount(engine, id);
    expect((await engine.do(id, restore)).state).toBe("running");
    await engine.printed(id, `\n${count + 2}\r\n`);
  });

  test("O122 a command can be run in a restored container, its loopback is up, and it can be checkpointed again", async () => {
    const id = await engine.run(counter);
    await engine.printed(id, "\n3\n");
    await engine.do(id, checkpoint);
    await engine.do(id, restore);
    const { stdout } = await exec(engine, id, "ip addr show dev lo");
    expect(stdout).toMatch(/<LOOPBACK,UP/);
    await engine.do(id, checkpoint);
    const count = await lastCount(engine, id);
    await engine.do(id, restore);
    await countsOn(engine, id, count);
  });

  test("K2 O114 left running it goes on, and can be restored from the checkpoint later", async () => {
    const id = await engine.run(counter);
    await engine.printed(id, "\n3\n");
    const { pid } = engine.snapshot(id);
    const saved = await engine.do(id, { ...checkpoint, leaveRunning: true });
    expect(saved).toMatchObject({ state: "running", run: 1, pid });
    expect(saved.checkpoint).toEqual({ at: expect.any(String), forArchive: false });
    await countsOn(engine, id, await lastCount(engine, id));
    await engine.stop(id, 0);
    await engine.do(id, { ...restore, keep: true });
    await engine.stop(id, 0);
    const again = await engine.do(id, restore);
    expect(again).toMatchObject({ state: "running", run: 3, restoredRun: 3 });
  });

  test("one that goes after its run stays while it is checkpointed", async () => {
    const script = "trap 'exit 0' USR1; echo ready; while :; do sleep 0.05; done";
    const id = await engine.run(script, { autoRemove: true });
    await engine.printed(id, "ready");
    await engine.do(id, checkpoint);
    await engine.reopen();
    expect(engine.snapshot(id)).toMatchObject({ state: "exited" });
    await engine.do(id, restore);
    await engine.kill(id, 10);
    const gone = { containerId: id, condition: "removed", timeoutMs: 10_000 } as const;
    expect(await engine.engine.wait(gone)).toMatchObject({ state: "met", exitCode: 0 });
  });

  test("O110 O111 kept logs are there, others are not", async () => {
    const id = await engine.run(counter);
    const directory = join(engine.options.dataRoot, "containers", id, "checkpoint");
    const bundle = join(engine.options.runRoot, "bundles", id);
    await engine.do(id, { ...checkpoint, keep: true });
    const checkpointLog = join(directory, "dump.log");
    const paths = async () => (await engine.engine.inspect(id)).paths;
    expect(await paths()).toMatchObject({ checkpoint: directory, checkpointLog });
    await engine.do(id, { ...restore, keep: true });
    expect(await paths()).toMatchObject({ restoreLog: join(bundle, "restore.log") });
    await engine.do(id, checkpoint);
    expect(existsSync(join(directory, "dump.log"))).toBe(false);
    await engine.do(id, restore);
    expect(existsSync(join(bundle, "restore.log"))).toBe(false);
    expect(existsSync(directory)).toBe(false);
  });

  test("K5 a container that does not run cannot be checkpointed, one without a checkpoint not restored", async () => {
    const id = await engine.create();
    expect(failureOf(await engine.perform(id, checkpoint))).toMatchObject({
      code: "STATE_INVALID",
      message: expect.stringContaining('state is "configured", must be one of "running"'),
    });
    expect(failureOf(await engine.perform(id, restore))).toMatchObject({
      code: "CHECKPOINT_NOT_FOUND",
      message: expect.stringContaining("it has no checkpoint"),
    });
  });

  test("K6 O119 an established TCP connection is refused with the reason, or goes along", async () => {
    const script =
      "nc -l -p 5000 -e cat & until netstat -tln | grep -q :5000; do sleep 0.05; done; " +
      "sleep 600 | nc 127.0.0.1 5000 & " +
      "until netstat -tn | grep -q ESTABLISHED; do sleep 0.05; done; echo connected; " +
      counter;
    const id = await engine.run(script);
    await engine.printed(id, "connected");
    expect(failureOf(await engine.perform(id, checkpoint))).toMatchObject({
      code: "CHECKPOINT_FAILED",
      message: expect.stringContaining("Connected TCP socket"),
    });
    expect(engine.snapshot(id).state).toBe("running");
    await countsOn(engine, id, await lastCount(engine, id));
    await engine.do(id, { ...checkpoint, tcpEstablished: true });
    const count = await lastCount(engine, id);
    expect(failureOf(await engine.perform(id, restore))).toMatchObject({
      code: "CHECKPOINT_FAILED",
    });
    expect(engine.snapshot(id)).toMatchObject({ state: "exited", checkpoint: { endedRun: 1 } });
    await engine.do(id, { ...restore, tcpEstablished: true });
    await countsOn(engine, id, count);
  });

  test("O120 a file lock is refused with the reason, or goes along", async () => {
    const libraries = "/host/lib/x86_64-linux-gnu";
    const flock = `${libraries}/ld-linux-x86-64.so.2 --library-path ${libraries} /host/bin/flock`;
    const hold = `exec 9>/dev/shm/lock; ${flock} 9; echo locked`;
    const mounts = [{ type: "bind" as const, source: "/usr", destination: "/host" }];
    const id = await engine.run(`${hold}; ${counter}`, { mounts });
    await engine.printed(id, "locked");
    expect(failureOf(await engine.perform(id, checkpoint))).toMatchObject({
      code: "CHECKPOINT_FAILED",
      message: expect.stringMatching(/lock/i),
    });
    expect(engine.snapshot(id).state).toBe("running");
    await engine.do(id, { ...checkpoint, fileLocks: true });
    const count = await lastCount(engine, id);
    await engine.do(id, { ...restore, fileLocks: true });
    await countsOn(engine, id, count);
  });

  test("O123 what is in /dev/shm and on a tmpfs is still there", async () => {
    const mounts = [{ type: "tmpfs" as const, destination: "/data" }];
    const script =
      "echo shm >/dev/shm/a; echo tmpfs >/data/b; echo ready; trap 'cat /dev/shm/a /data/b' USR1; " +
      "while :; do sleep 0.05; done";
    const id = await engine.run(script, { mounts });
    await engine.printed(id, "ready");
    await engine.do(id, checkpoint);
    expect((await engine.do(id, restore)).state).toBe("running");
    await engine.kill(id, 10);
    await engine.printed(id, "shm\ntmpfs\n");
  });
});

describe("through an archive", () => {
  test("K3 O116 it goes on elsewhere under other names, with its writable layer", async () => {
    const id = await engine.run(`echo mine >/mark; rm /etc/passwd; ${counter}`);
    await engine.printed(id, "\n5\n");
    await engine.do(id, { ...checkpoint, archive: true });
    const count = await lastCount(engine, id);
    const archive = await archiveOf(engine, id);
    for (const name of ["elsewhere-1", "elsewhere-2"]) {
      const copy = newContainerId();
      const imported = await importArchive(other, archive, { id: copy, name });
      expect(imported).toMatchObject({
        status: "succeeded",
        container: { name, state: "running", run: 1, restoredRun: 1 },
      });
      await countsOn(other, copy, count);
      const layer = join(other.options.dataRoot, "containers", copy, "rootfs");
      expect(existsSync(join(layer, "mark"))).toBe(true);
      expect(existsSync(join(layer, "etc/passwd"))).toBe(false);
      expect((await other.engine.inspect(copy)).spec.name).toBe(name);
    }
    expect(engine.snapshot(id)).toMatchObject({ state: "exited", checkpoint: { endedRun: 1 } });
    await engine.do(id, restore);
    await countsOn(engine, id, count);
  });

  test("K2 left running, the archive is good all the same", async () => {
    const id = await engine.run(counter);
    await engine.printed(id, "\n3\n");
    await engine.do(id, { ...checkpoint, archive: true, leaveRunning: true });
    expect(engine.snapshot(id).state).toBe("running");
    await countsOn(engine, id, await lastCount(engine, id));
    const copy = newContainerId();
    await importArchive(other, await archiveOf(engine, id), { id: copy, name: "left-running" });
    expect(other.snapshot(copy).state).toBe("running");
  });

  test("K4 without the root filesystem's changes they are not in it, or not taken from it", async () => {
    const id = await engine.run(`echo mine >/mark; ${counter}`);
    await engine.printed(id, "\n3\n");
    const whole = { ...checkpoint, archive: true, leaveRunning: true };
    await engine.do(id, { ...whole, ignoreRootfs: true });
    const without = await archiveOf(engine, id);
    expect(without.includes("rootfs.tar")).toBe(false);
    await engine.do(id, whole);
    const copy = newContainerId();
    const ignoring = { id: copy, name: "no-changes", ignoreRootfs: true };
    await importArchive(other, await archiveOf(engine, id), ignoring);
    const rootfs = join(other.options.dataRoot, "containers", copy, "rootfs");
    expect(other.snapshot(copy).state).toBe("running");
    expect(existsSync(join(rootfs, "mark"))).toBe(false);
  });

  test("K7 a truncated or foreign archive is refused, and nothing is created", async () => {
    const id = await engine.run(counter);
    await engine.do(id, { ...checkpoint, archive: true });
    const archive = await archiveOf(engine, id);
    const before = other.engine.containers().length;
    const bad = {
      truncated: archive.subarray(0, Math.floor(archive.length / 2 / 512) * 512 + 100),
      "cut at an entry": archive.subarray(0, endOfEntries(archive, 3)),
      foreign: Buffer.from("not a tar archive at all"),
      empty: Buffer.alloc(0),
      "of zeros": Buffer.alloc(10_240),
    };
    for (const [name, bytes] of Object.entries(bad)) {
      const copy = newContainerId();
      const outcome = await importArchive(other, bytes, { id: copy, name: "bad" });
      expect(failureOf(outcome), name).toMatchObject({ code: "CHECKPOINT_INVALID" });
      expect(existsSync(join(other.options.dataRoot, "containers", copy)), name).toBe(false);
    }
    expect(other.engine.containers()).toHaveLength(before);
  });

  test("a checkpoint that was not made for an archive cannot be sent", async () => {
    const id = await engine.run(counter);
    const open = async (): Promise<unknown> => {
      return await engine.engine.openTransfer({ kind: "checkpoint", containerId: id });
    };
    await expect(open()).rejects.toMatchObject({ code: "CHECKPOINT_NOT_FOUND" });
    await engine.do(id, checkpoint);
    await expect(open()).rejects.toMatchObject({
      code: "CHECKPOINT_NOT_FOUND",
      message: expect.stringContaining("not made for an archive"),
    });
  });

  test("a name that the host has is refused, and nothing is left", async () => {
    const id = await engine.run(counter, { name: "taken" });
    await engine.do(id, { ...checkpoint, archive: true });
    const copy = newContainerId();
    const outcome = await importArchive(engine, await archiveOf(engine, id), {
      id: copy,
      name: "taken",
    });
    expect(failureOf(outcome)).toMatchObject({ code: "NAME_IN_USE" });
    expect(existsSync(join(engine.options.dataRoot, "containers", copy))).toBe(false);
  });
});

test("crun without CRIU refuses it with the reason", async () => {
  await using crun = await EngineUnderTest.open("crun");
  expect(crun.engine.hostFacts().checkpoint).toEqual({
    supported: false,
    reason: "crun was built without CRIU",
  });
  const id = newContainerId();
  await crun.do(id, createVerb(id, {}));
  expect(failureOf(await crun.perform(id, checkpoint))).toMatchObject({ code: "UNSUPPORTED" });
});

const never = new AbortController().signal;

/** The archive of the container's checkpoint, as a caller gets it. */
async function archiveOf(host: EngineUnderTest, containerId: ContainerId): Promise<Buffer> {
  const { transferId } = await host.engine.openTransfer({ kind: "checkpoint", containerId });
  const parts: Uint8Array[] = [];
  for (let offset = 0, ended = false; !ended;) {
    const range = { offset, bytesMax: 512 * 1024 };
    const piece = await host.engine.readTransfer(transferId, range, never);
    parts.push(piece.bytes);
    ({ next: offset, ended } = piece);
  }
  await host.engine.closeTransfer(transferId);
  return Buffer.concat(parts);
}

async function importArchive(
  host: EngineUnderTest,
  archive: Uint8Array,
  { id, name, ignoreRootfs = false }: { id: ContainerId; name: string; ignoreRootfs?: boolean },
): Promise<OperationOutcome> {
  const uploadId = newOperationId();
  await host.engine.appendUploadChunk(uploadId, 0, archive);
  const sizeBytes = archive.length;
  const options = { ...restoreOptions, ignoreRootfs };
  return await host.perform(id, {
    verb: "container.import",
    name,
    uploadId,
    sizeBytes,
    ...options,
  });
}

/** The length of the archive's first `count` entries. */
function endOfEntries(archive: Buffer, count: number): number {
  let offset = 0;
  for (let entry = 0; entry < count; entry += 1) {
    const sizeBytes = Number.parseInt(archive.toString("latin1", offset + 124, offset + 135), 8);
    offset += 512 + Math.ceil(sizeBytes / 512) * 512;
  }
  return offset;
}
