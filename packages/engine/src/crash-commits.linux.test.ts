/**
 * The engine is killed before each commit of each method in turn: all that the commit is about has been done then, and nothing says so.
 * The next engine has to come to what an engine that lived would have come to. What lies between an engine's calls of conmon and of the
 * OCI runtime is in crash-matrix.
 */
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";

import { type ActionOf, actionSchema } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpecInput } from "@podfleet/model/container/spec";
import type { ErrorCode } from "@podfleet/model/errors";
import { type ContainerId, type ExecId, newContainerId, newOperationId } from "@podfleet/model/ids";
import { busyboxArchive } from "@podfleet/testkit/busybox-image";
import { findLeaks } from "@podfleet/testkit/temp-root";
import { testRuntime } from "@podfleet/testkit/test-runtime";
import { waitFor } from "@podfleet/testkit/wait-for";
import { afterAll, beforeAll, expect, test } from "vitest";

import { archiveOf, send } from "./rootfs/test-transfer.ts";
import { performAndCrash } from "./test-crashing-engine.ts";
import { createVerb, EngineUnderTest, type Verb } from "./test-engine.ts";
import { newExecId, output, start as startExec, startVerb } from "./test-exec.ts";

let under: EngineUnderTest;

beforeAll(async () => {
  under = await EngineUnderTest.open(testRuntime);
});

afterAll(async () => {
  await under[Symbol.asyncDispose]();
});

/** A verb on the container, or one on the host's images. */
type MethodVerb = Verb | ActionOf<"image.load">;

interface Method {
  readonly name: string;
  /** The container is not there beforehand. */
  readonly isNew?: boolean;
  /** What is done beforehand. */
  readonly enter?: readonly Verb[];
  readonly spec?: Partial<ContainerSpecInput>;
  readonly verb: (id: ContainerId) => MethodVerb | Promise<MethodVerb>;
  readonly container: Partial<ContainerSnapshot> | "removed";
  /** What it may fail with because nobody can tell how far it had come. */
  readonly may?: ErrorCode;
  readonly check?: (id: ContainerId, verb: MethodVerb) => Promise<void>;
}

const init = { verb: "container.init" } as const;
const start = { verb: "container.start", recursive: false } as const;
const pause = { verb: "container.pause" } as const;
const mount = { verb: "container.mount" } as const;
const stop = { verb: "container.stop", timeoutSeconds: 0 } as const;
const session = { current: undefined as ExecId | undefined };

const methods: Method[] = [
  {
    name: "create",
    isNew: true,
    verb: (id) => createVerb(id, {}),
    container: { state: "configured", run: 0, revision: 1 },
  },
  { name: "init", verb: () => init, container: { state: "created", run: 0 } },
  { name: "start", verb: () => start, container: { state: "running", run: 1 } },
  { name: "stop", enter: [start], verb: () => stop, container: { state: "exited", exitCode: 137 } },
  {
    name: "kill",
    enter: [start],
    verb: () => ({ verb: "container.kill", signal: 9 }),
    container: { state: "exited", exitCode: 137, stoppedByUser: true },
  },
  {
    name: "restart",
    enter: [start],
    verb: () => ({ verb: "container.restart" }),
    container: { state: "running", run: 2, exitCode: 137 },
  },
  {
    name: "refresh",
    enter: [start],
    verb: () => ({ verb: "container.refresh" }),
    container: { state: "running", run: 2 },
  },
  {
    name: "refresh of a paused one",
    enter: [start, pause],
    verb: () => ({ verb: "container.refresh" }),
    container: { state: "paused", run: 2 },
  },
  { name: "pause", enter: [start], verb: () => pause, container: { state: "paused" } },
  {
    name: "unpause",
    enter: [start, pause],
    verb: () => ({ verb: "container.unpause" }),
    container: { state: "running", run: 1 },
  },
  {
    name: "cleanup of a created one",
    enter: [init, mount],
    verb: () => ({ verb: "container.cleanup" }),
    container: { state: "configured", run: 0 },
  },
  {
    name: "sync",
    enter: [start],
    verb: () => ({ verb: "container.sync" }),
    container: { state: "running", run: 1 },
  },
  {
    name: "rename",
    verb: (id) => ({ verb: "container.rename", name: `n-${id.slice(0, 20)}` }),
    container: { state: "configured", revision: 2 },
  },
  {
    name: "update",
    enter: [start],
    verb: () => ({ verb: "container.update", resources: { pidsLimit: 77 } }),
    container: { state: "running", specChanges: { resources: { pidsLimit: 77 } } },
  },
  {
    name: "mount",
    verb: () => mount,
    container: { mount: { path: expect.any(String) as string, count: 1 } },
  },
  {
    name: "unmount",
    enter: [mount, mount],
    verb: () => ({ verb: "container.unmount", force: false }),
    container: { mount: { path: expect.any(String) as string, count: 1 } },
  },
  {
    name: "copy",
    verb: async () => ({
      verb: "container.copy",
      path: "/tmp",
      ...(await upload(await archiveOf({ "copied.txt": "text" }))),
    }),
    container: { state: "configured" },
    check: async (id) => {
      const stat = await under.engine.statPath({ containerId: id, path: "/tmp/copied.txt" });
      expect(stat).toMatchObject({ sizeBytes: 4 });
    },
  },
  {
    name: "artifact add",
    verb: async () => ({
      verb: "artifact.add",
      name: "kept",
      ...(await upload(Buffer.from("bytes"))),
    }),
    container: { state: "configured" },
    check: async (id) => {
      expect(await under.engine.artifacts(id)).toMatchObject([{ name: "kept", sizeBytes: 5 }]);
    },
  },
  {
    name: "artifact remove",
    verb: async (id) => {
      await send(under, id, { verb: "artifact.add", name: "gone", bytes: Buffer.from("bytes") });
      return { verb: "artifact.remove", name: "gone" };
    },
    container: { state: "configured" },
    check: async (id) => expect(await under.engine.artifacts(id)).toEqual([]),
  },
  {
    name: "image load",
    verb: async () => {
      const archive = await readFile(await busyboxArchive({ name: "localhost/again:1" }));
      return { verb: "image.load", ...(await upload(archive)) };
    },
    container: { state: "configured" },
    check: async () => {
      const names = under.engine.images().flatMap((image) => image.names);
      expect(names).toContain("localhost/again:1");
    },
  },
  {
    name: "exec start",
    enter: [start],
    verb: () => startVerb(newExecId(), "echo ran; sleep 600"),
    container: { state: "running", run: 1 },
    may: "INTERRUPTED",
    check: async (_id, verb) => {
      const execId = (verb as { readonly execId: ExecId }).execId;
      expect(["", "ran\n"]).toContain(await output(under, execId));
    },
  },
  {
    name: "exec kill",
    enter: [start],
    verb: async (id) => ({ verb: "exec.kill", execId: await begin(id), signal: 9 }),
    container: { state: "running", run: 1 },
    check: async (id) => {
      const execId = session.current as ExecId;
      const ended = await under.engine.execs.wait({ containerId: id, execId, timeoutMs: 20_000 });
      expect(ended).toMatchObject({ state: "exited", exitCode: 137 });
    },
  },
  {
    name: "exec remove",
    enter: [start],
    verb: async (id) => ({ verb: "exec.remove", execId: await begin(id), force: true }),
    container: { state: "running", run: 1 },
    check: async (id) => expect(under.engine.execs.list(id)).toEqual([]),
  },
  {
    name: "healthcheck",
    enter: [start],
    spec: { healthcheck: { command: ["true"], intervalMs: 3_600_000 } },
    verb: () => ({ verb: "container.healthcheck" }),
    container: { state: "running", health: "healthy" },
  },
  {
    name: "a batch",
    verb: () => ({
      verb: "container.batch",
      steps: [init, { verb: "container.start" }, pause, { verb: "container.unpause" }, stop],
      continueOnError: false,
    }),
    container: { state: "exited", run: 1, exitCode: 137 },
  },
  {
    name: "remove",
    enter: [start],
    verb: () => ({ verb: "container.remove", force: true, dependents: false }),
    container: "removed",
  },
];

test.each(methods)("kill -9 before each commit: $name", { timeout: 240_000 }, async (method) => {
  let commits = 0;
  while (await crashAndCarryOn(method, commits + 1)) commits += 1;
  expect(commits).toBeGreaterThan(0);
});

/** @returns whether the engine was killed: it had not come to so many commits */
async function crashAndCarryOn(method: Method, commit: number): Promise<boolean> {
  const id = method.isNew ? newContainerId() : await prepare(method);
  const verb = await method.verb(id);
  const target = verb.verb === "image.load" ? {} : { containerId: id };
  const action = actionSchema.parse({ ...target, ...verb });
  const request = { operationId: newOperationId(), action };
  await under.close();
  const wasKilled = await performAndCrash({
    options: under.options,
    requests: [request],
    dieBeforeCommit: commit,
  });
  await under.reopen();
  const outcome = await under.engine.perform(request);
  const code = outcome.status === "failed" ? outcome.error.code : outcome.status;
  expect([method.may ?? "succeeded", "succeeded"], `before commit ${commit}`).toContain(code);
  expect(under.engine.settle(request.operationId)).toEqual({ state: "finished", outcome });
  await expectContainer(id, method.container);
  await method.check?.(id, verb);
  const events = under.engine.outbox.after(0, 100_000);
  const ofOperation = events.filter(({ operation }) => operation?.id === request.operationId);
  expect(ofOperation.filter(({ operation }) => operation?.outcome)).toHaveLength(1);
  await removeWithoutTrace(id);
  return wasKilled;
}

async function prepare({ enter = [], spec }: Method): Promise<ContainerId> {
  const id = await under.create({ stopTimeoutSeconds: 0, ...spec });
  for (const verb of enter) await under.do(id, verb);
  return id;
}

async function expectContainer(id: ContainerId, expected: Method["container"]): Promise<void> {
  const isThere = under.engine.containers().some((each) => each.id === id);
  expect(isThere).toBe(expected !== "removed");
  if (expected === "removed") return;
  // What follows from a kill comes by itself.
  if (expected.state === "exited") await under.exited(id);
  expect(under.snapshot(id)).toMatchObject(expected);
}

async function removeWithoutTrace(id: ContainerId): Promise<void> {
  if (under.engine.containers().some((each) => each.id === id)) await under.remove(id);
  const { dataRoot, cgroupParent } = under.options;
  let leaks: string[] = [];
  await waitFor(
    async () => {
      const all = await findLeaks(dirname(dataRoot), cgroupParent);
      leaks = all.filter((leak) => leak.includes(id));
      return leaks.length === 0;
    },
    { what: `the remains of ${id} to go` },
  );
}

async function begin(id: ContainerId): Promise<ExecId> {
  const { id: execId } = await startExec(under, id, "sleep 600");
  session.current = execId;
  return execId;
}

async function upload(bytes: Uint8Array) {
  const uploadId = newOperationId();
  await under.engine.appendUploadChunk(uploadId, 0, bytes);
  return { uploadId, sizeBytes: bytes.length };
}
