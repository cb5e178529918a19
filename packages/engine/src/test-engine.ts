/**
 * A real engine on directories and a cgroup of its own, with the busybox image loaded. Its disposal fails when it left
 * something behind or something failed in the background.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import { type JournalStream, parseJournal } from "@podfleet/base/journal-record";
import type { Action, ActionWithoutContainer } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { type ContainerSpecInput, containerSpecSchema } from "@podfleet/model/container/spec";
import type { ErrorCode } from "@podfleet/model/errors";
import type { AgentEvent } from "@podfleet/model/event";
import { type ContainerId, newContainerId, newOperationId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";
import { cgroupDirectories, readCgroupHierarchies } from "@podfleet/oci/cgroup/cgroup";
import { removeCgroup } from "@podfleet/oci/cgroup/container-cgroup";
import { busyboxArchive, type BusyboxArchiveOptions } from "@podfleet/testkit/busybox-image";
import { createTempRoot, type TempRoot } from "@podfleet/testkit/temp-root";
import { waitFor } from "@podfleet/testkit/wait-for";

import { Engine } from "./engine.ts";
import type { EngineOptions, EngineProblem } from "./host/engine-options.ts";

export type Verb = ActionWithoutContainer;

let count = 0;

export class EngineUnderTest implements AsyncDisposable {
  options: EngineOptions;
  readonly #problems: EngineProblem[] = [];
  readonly #root: TempRoot;
  #engine: Engine | undefined;

  private constructor(root: TempRoot, cgroupParent: string, runtime: EngineOptions["runtime"]) {
    this.#root = root;
    this.options = {
      dataRoot: join(root.path, "data"),
      runRoot: join(root.path, "run"),
      cgroupParent,
      runtime,
      onProblem: (problem) => this.#problems.push(problem),
    };
  }

  static async open(runtime: EngineOptions["runtime"] = "runc"): Promise<EngineUnderTest> {
    count += 1;
    const cgroupParent = `/podfleet/test-${process.pid}-${count}`;
    const test = new EngineUnderTest(
      await createTempRoot("engine", { cgroupParent }),
      cgroupParent,
      runtime,
    );
    await test.reopen();
    await test.load();
    return test;
  }

  get engine(): Engine {
    if (!this.#engine) throw new Error("The engine is closed");
    return this.#engine;
  }

  async close(): Promise<void> {
    await this.#engine?.close();
    this.#engine = undefined;
  }

  /** An engine as after a restart of the agent, from now on with these options. */
  async reopen(
    changes: Partial<Omit<EngineOptions, "dataRoot" | "cgroupParent">> = {},
  ): Promise<void> {
    await this.close();
    this.options = { ...this.options, ...changes };
    this.#engine = await Engine.open(this.options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#engine) await this.reopen();
    for (const { id } of this.engine.containers()) {
      const isThere = this.engine.containers().some((container) => container.id === id);
      if (isThere) await this.remove(id);
    }
    await this.close();
    await this.#root[Symbol.asyncDispose]();
    await this.#removeCgroups();
    const [problem] = this.#problems;
    if (problem) throw new Error("Something failed in the background", { cause: problem.error });
  }

  /** The engine leaves its own cgroups to the next one. */
  async #removeCgroups(): Promise<void> {
    const cgroups = await readCgroupHierarchies();
    for (const path of [this.options.cgroupParent, `${this.options.cgroupParent}-monitors`]) {
      await removeCgroup(cgroupDirectories(cgroups, path), systemClock);
    }
  }

  /** Loads a busybox image. */
  async load(options: BusyboxArchiveOptions = {}): Promise<void> {
    const archive = await readFile(await busyboxArchive(options));
    const uploadId = newOperationId();
    await this.engine.appendUploadChunk(uploadId, 0, archive);
    const action = { verb: "image.load", uploadId, sizeBytes: archive.length } as const;
    succeeded(await this.engine.perform({ operationId: newOperationId(), action }));
  }

  async perform(containerId: ContainerId, verb: Verb): Promise<OperationOutcome> {
    const action = { ...verb, containerId } as Action;
    return await this.engine.perform({ operationId: newOperationId(), action });
  }

  /** Performs what is to succeed, and returns the container as it is then. */
  async do(containerId: ContainerId, verb: Verb): Promise<ContainerSnapshot> {
    return succeeded(await this.perform(containerId, verb));
  }

  async create(
    spec: Partial<ContainerSpecInput> = {},
    id = newContainerId(),
  ): Promise<ContainerId> {
    await this.do(id, createVerb(id, spec));
    return id;
  }

  /** Creates and starts a container that runs a shell script. */
  async run(script: string, spec: Partial<ContainerSpecInput> = {}): Promise<ContainerId> {
    const id = await this.create({ command: ["sh", "-c", script], ...spec });
    await this.start(id);
    return id;
  }

  async start(id: ContainerId, recursive = false): Promise<ContainerSnapshot> {
    return await this.do(id, { verb: "container.start", recursive });
  }

  async stop(id: ContainerId, timeoutSeconds?: number): Promise<ContainerSnapshot> {
    const timeout = timeoutSeconds === undefined ? {} : { timeoutSeconds };
    return await this.do(id, { verb: "container.stop", ...timeout });
  }

  async kill(id: ContainerId, signal: number): Promise<ContainerSnapshot> {
    return await this.do(id, { verb: "container.kill", signal });
  }

  async remove(id: ContainerId): Promise<void> {
    await this.do(id, { verb: "container.remove", force: true, dependents: true });
  }

  snapshot(id: ContainerId): ContainerSnapshot {
    const found = this.engine.containers().find((container) => container.id === id);
    if (!found) throw new Error(`No container ${id}`);
    return found;
  }

  /** Resolves when the container has cleaned up after its run. */
  async exited(id: ContainerId): Promise<ContainerSnapshot> {
    return await this.inState(id, "exited");
  }

  async inState(id: ContainerId, state: ContainerSnapshot["state"]): Promise<ContainerSnapshot> {
    const answer = await this.engine.wait({ containerId: id, condition: state, timeoutMs: 20_000 });
    if (answer.state === "pending") throw new Error(`Not "${state}": ${this.snapshot(id).state}`);
    return answer.container;
  }

  /** What the container has written so far. */
  async output(id: ContainerId, stream: JournalStream = "stdout"): Promise<string> {
    const journal = await readFile(join(this.options.dataRoot, "journals", id));
    return [...parseJournal(journal)]
      .filter((record) => record.stream === stream)
      .map(({ payload, endsLine }) => Buffer.from(payload).toString() + (endsLine ? "\n" : ""))
      .join("");
  }

  /** Resolves when the container has written `text`. */
  async printed(id: ContainerId, text: string): Promise<void> {
    const what = `"${text}" in the output of ${id}`;
    await waitFor(async () => (await this.output(id)).includes(text), { what });
  }

  /** Makes an empty file in the container's root filesystem, which is mounted; also while no engine is open. */
  async touch(id: ContainerId, path: string): Promise<void> {
    await writeFile(join(this.options.dataRoot, "containers", id, "rootfs", path), "");
  }

  /** Types of the events about the container, in order. */
  events(id: ContainerId): AgentEvent[] {
    return this.engine.outbox.after(0, 10_000).filter((event) => event.containerId === id);
  }
}

export function createVerb(id: ContainerId, spec: Partial<ContainerSpecInput>): Verb {
  const full = containerSpecSchema.parse({ image: "busybox", command: ["sleep", "600"], ...spec });
  return { verb: "container.create", name: spec.name ?? `c-${id.slice(0, 12)}`, spec: full };
}

function succeeded(outcome: OperationOutcome): ContainerSnapshot {
  if (outcome.status === "failed")
    throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
  return outcome.container as ContainerSnapshot;
}

/** The error of an outcome that is to be a failure. */
export function failureOf(outcome: OperationOutcome): { code: ErrorCode; message: string } {
  if (outcome.status === "succeeded") throw new Error("It succeeded");
  return outcome.error;
}
