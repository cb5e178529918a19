/**
 * A host whose containers are records only: each action changes the state at once and nothing runs. It keeps an agent's promises to
 * the control plane: an operation takes effect once, each commit is an event, events have no gaps. What a container's process does is up
 * to the test, and so is when an operation gets its turn.
 */
import { randomUUID } from "node:crypto";

import { pause } from "@podfleet/base/pause";
import type { Action } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerUsage } from "@podfleet/model/container/usage";
import { PodfleetError } from "@podfleet/model/errors";
import type { AgentEvent } from "@podfleet/model/event";
import type { ExecSession } from "@podfleet/model/exec";
import type { FileStat } from "@podfleet/model/file";
import {
  type ContainerId,
  type ExecId,
  imageIdSchema,
  type OperationId,
} from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import { notDelivered, type OperationOutcome, type StepResult } from "@podfleet/model/operation";
import { changeResources } from "@podfleet/model/resources";
import { type TransferId, transferIdSchema } from "@podfleet/model/transfer";
import type { Step } from "@podfleet/model/verb/batch-verb";
import type { SettleReply } from "@podfleet/protocol/host/settle";
import type { WaitReply, WaitRequest } from "@podfleet/protocol/host/wait";

type ActionOf<Verb extends Action["verb"]> = Extract<Action, { readonly verb: Verb }>;

/** The one image that it has. */
export const simulatedImage: Image = {
  id: imageIdSchema.parse(`sha256:${"ab".repeat(32)}`),
  names: ["docker.io/library/busybox:latest"],
  sizeBytes: 1_000_000,
  layers: 1,
};

export class SimulatedHost {
  /** Operations that took effect, in order. */
  readonly performed: OperationId[] = [];
  readonly outcomes = new Map<OperationId, OperationOutcome>();
  /** Given up by `settle`. */
  readonly refused = new Set<OperationId>();
  readonly containers = new Map<ContainerId, ContainerSnapshot>();
  readonly uploads = new Map<OperationId, Uint8Array>();
  /** The exec sessions that were started. */
  readonly execs = new Map<ExecId, ExecSession>();
  /** What each transfer that is open sends; `transferred` when it is opened. */
  readonly transfers = new Map<TransferId, Uint8Array>();
  transferred: Uint8Array = new Uint8Array(0);
  /** What `stat` answers for a path. */
  readonly files = new Map<string, FileStat>();
  /** How often `wait` was asked. */
  waits = 0;
  readonly #running = new Map<OperationId, Promise<OperationOutcome>>();
  readonly #forgotten = new Set<OperationId>();
  #events: AgentEvent[] = [];
  #seq = 0;
  #usages = 0;
  #hold: Promise<void> = Promise.resolve();
  #failure: PodfleetError | undefined;

  /** Until the returned function is called, operations are taken and not carried out. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#hold = promise;
    return resolve;
  }

  /** The next operation fails with `error`. */
  failNext(error: PodfleetError): void {
    this.#failure = error;
  }

  /** Operations are under way. */
  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  /** Loses an operation that is held, as if its request had never arrived. */
  forget(id: OperationId): void {
    this.#forgotten.add(id);
    this.#running.delete(id);
  }

  /** Ends a container's run. */
  exit(id: ContainerId, exitCode: number): void {
    const died = this.#change(id, (snapshot) => ended(snapshot, exitCode));
    this.#append({ type: "container.died", containerId: id, container: died });
  }

  get lastSeq(): number {
    return this.#seq;
  }

  /** Events that the control plane has not committed yet. */
  get outbox(): readonly AgentEvent[] {
    return this.#events;
  }

  committed(seq: number): void {
    this.#events = this.#events.filter((event) => event.seq > seq);
  }

  async perform(id: OperationId, action: Action): Promise<OperationOutcome> {
    const known = this.outcomes.get(id) ?? this.#running.get(id);
    if (known) return await known;
    if (this.refused.has(id)) {
      const message = "Given up before it reached the host";
      return failed(new PodfleetError("CANCELLED", message, { details: notDelivered }));
    }
    const running = this.#carryOut(id, action);
    this.#running.set(id, running);
    const outcome = await running;
    this.#running.delete(id);
    return outcome;
  }

  settle(id: OperationId): SettleReply {
    const outcome = this.outcomes.get(id);
    if (outcome) return { state: "finished", outcome };
    if (this.#running.has(id)) return { state: "running" };
    this.refused.add(id);
    return { state: "unknown" };
  }

  /** Woken by nothing but its own poll: what is tested is the asking side. */
  async wait(
    { containerId, condition, run = 1, timeoutMs }: WaitRequest,
    signal: AbortSignal,
  ): Promise<WaitReply> {
    this.waits += 1;
    const deadlineMs = Date.now() + timeoutMs;
    while (Date.now() < deadlineMs && !signal.aborted) {
      const container = this.containers.get(containerId);
      if (!container) throw notFound(containerId);
      if (condition !== "removed" && container.exitedRun >= run) {
        const { exitCode } = container;
        const known =
          exitCode === undefined ? { exitUnknown: true } : { exitCode, exitUnknown: false };
        return { state: "met", run, ...known, container };
      }
      await pause(20, signal);
    }
    return { state: "pending", run };
  }

  session(id: ExecId): ExecSession {
    const session = this.execs.get(id);
    if (session) return session;
    throw new PodfleetError("EXEC_NOT_FOUND", `Cannot find exec session "${id}"`);
  }

  /** A second of CPU time more at each call. */
  usage(): ContainerUsage {
    this.#usages += 1;
    return {
      at: new Date().toISOString(),
      ...{ cpuNanos: this.#usages * 1e9, pids: 1, blockReadBytes: 0, blockWriteBytes: 0 },
      ...{ memoryBytes: 1024 ** 2, memoryLimitBytes: 1024 ** 3 },
    };
  }

  openTransfer(): TransferId {
    const id = transferIdSchema.parse(randomUUID());
    this.transfers.set(id, this.transferred);
    return id;
  }

  /** @returns the length that the upload has then */
  appendUpload(id: OperationId, offset: number, bytes: Uint8Array): number {
    const held = this.uploads.get(id) ?? new Uint8Array(0);
    if (offset !== held.length) return held.length;
    this.uploads.set(id, Buffer.concat([held, bytes]));
    return held.length + bytes.length;
  }

  async #carryOut(id: OperationId, action: Action): Promise<OperationOutcome> {
    await this.#hold;
    if (this.#forgotten.delete(id)) return failed(new PodfleetError("INTERNAL", "Forgotten"));
    const failure = this.#failure;
    this.#failure = undefined;
    const outcome = failure ? failed(failure) : this.#act(action);
    this.performed.push(id);
    this.outcomes.set(id, outcome);
    const { container } = outcome;
    const type = action.verb === "container.remove" ? "container.remove" : "operation.finished";
    this.#append({
      type,
      ...("containerId" in action ? { containerId: action.containerId } : {}),
      ...(container ? { container } : {}),
      operation: { id, verb: action.verb, outcome },
    });
    return outcome;
  }

  #act(action: Action): OperationOutcome {
    switch (action.verb) {
      case "image.load":
        return { status: "succeeded", images: [simulatedImage] };
      case "container.create":
      case "container.import":
        return this.#create(action);
      case "container.remove": {
        const container = this.#change(action.containerId, (snapshot) => ({
          ...snapshot,
          state: "removing",
        }));
        this.containers.delete(action.containerId);
        return succeeded(container);
      }
      case "container.start":
      case "container.restart":
      case "container.restore":
        return succeeded(this.#change(action.containerId, started));
      case "container.stop":
      case "container.kill":
        return succeeded(this.#change(action.containerId, (snapshot) => ended(snapshot, 137)));
      case "container.init":
      case "container.pause":
      case "container.unpause":
      case "container.cleanup":
      case "container.sync":
      case "container.refresh":
      case "container.healthcheck":
      case "container.checkpoint":
      case "container.copy":
      case "artifact.add":
      case "artifact.remove":
        return succeeded(this.#change(action.containerId, (snapshot) => snapshot));
      case "container.mount":
      case "container.unmount":
        return succeeded(this.#change(action.containerId, (snapshot) => mounted(snapshot, action)));
      case "container.rename":
        return succeeded(
          this.#change(action.containerId, (snapshot) => ({ ...snapshot, name: action.name })),
        );
      case "container.update":
      case "container.batch":
        return this.#changeSpec(action);
      case "exec.start":
        return this.#keep(startedSession(action));
      case "exec.kill":
      case "exec.remove":
        return this.#keep({ ...this.session(action.execId), state: "exited", exitCode: 137 });
    }
  }

  #keep(exec: ExecSession): OperationOutcome {
    this.execs.set(exec.id, exec);
    return { status: "succeeded", exec };
  }

  /** Of a batch only the changes of names and specs take place. */
  #changeSpec(action: ActionOf<"container.update" | "container.batch">): OperationOutcome {
    const changes = action.verb === "container.batch" ? action.steps : [action];
    const steps: StepResult[] = [];
    for (const step of changes) {
      const container = this.#change(action.containerId, (snapshot) => changed(snapshot, step));
      steps.push({ status: "succeeded", verb: step.verb, container });
    }
    const container = this.#change(action.containerId, (snapshot) => snapshot);
    const outcome = { status: "succeeded", container } as const;
    return action.verb === "container.batch" ? { ...outcome, steps } : outcome;
  }

  #create({
    containerId,
    name,
  }: ActionOf<"container.create" | "container.import">): OperationOutcome {
    const snapshot: ContainerSnapshot = {
      id: containerId,
      name,
      revision: 1,
      state: "configured",
      imageId: simulatedImage.id,
      run: 0,
      exitedRun: 0,
      exitUnknown: false,
      oomKilled: false,
      stoppedByUser: false,
      restartCount: 0,
      createdAt: new Date().toISOString(),
    };
    this.containers.set(containerId, snapshot);
    return succeeded(snapshot);
  }

  #change(
    id: ContainerId,
    change: (snapshot: ContainerSnapshot) => ContainerSnapshot,
  ): ContainerSnapshot {
    const snapshot = this.containers.get(id);
    if (!snapshot) throw notFound(id);
    const next = { ...change(snapshot), revision: snapshot.revision + 1 };
    this.containers.set(id, next);
    return next;
  }

  #append(event: Omit<AgentEvent, "seq" | "time" | "attributes">): void {
    this.#seq += 1;
    const time = new Date().toISOString();
    this.#events.push({ seq: this.#seq, time, attributes: {}, ...event });
  }
}

function changed(snapshot: ContainerSnapshot, step: Step): ContainerSnapshot {
  if (step.verb === "container.rename") return { ...snapshot, name: step.name };
  if (step.verb !== "container.update") return snapshot;
  const { resources, restartPolicy } = step;
  return {
    ...snapshot,
    specChanges: {
      ...snapshot.specChanges,
      ...(resources ? { resources: changeResources({}, resources) } : {}),
      ...(restartPolicy ? { restartPolicy } : {}),
    },
  };
}

function mounted(
  { mount, ...snapshot }: ContainerSnapshot,
  { verb }: ActionOf<"container.mount" | "container.unmount">,
): ContainerSnapshot {
  const count = (mount?.count ?? 0) + (verb === "container.mount" ? 1 : -1);
  return count > 0 ? { ...snapshot, mount: { path: "/mnt/rootfs", count } } : snapshot;
}

function startedSession({ execId, containerId, spec }: ActionOf<"exec.start">): ExecSession {
  const now = new Date().toISOString();
  return {
    ...{ id: execId, containerId, spec, run: 1 },
    ...{ state: "running", pid: 4243, createdAt: now, startedAt: now },
    ...{ exitUnknown: false, timedOut: false },
  };
}

function started(snapshot: ContainerSnapshot): ContainerSnapshot {
  return { ...snapshot, state: "running", run: snapshot.run + 1, pid: 4242 };
}

function ended(snapshot: ContainerSnapshot, exitCode: number): ContainerSnapshot {
  return { ...withoutPid(snapshot), state: "exited", exitCode, exitedRun: snapshot.run };
}

function withoutPid({ pid: _, ...rest }: ContainerSnapshot): ContainerSnapshot {
  return rest;
}

function succeeded(container: ContainerSnapshot): OperationOutcome {
  return { status: "succeeded", container };
}

function failed(error: PodfleetError): OperationOutcome {
  return { status: "failed", error: error.toWire() };
}

function notFound(id: string): PodfleetError {
  return new PodfleetError("CONTAINER_NOT_FOUND", `Cannot find container "${id}"`);
}
