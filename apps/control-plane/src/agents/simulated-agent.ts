/**
 * An agent without an engine, for tests: it keeps to the protocol, carries operations out on records in memory, and can be
 * held, silenced, cut off and started again with what it remembers.
 */
import { randomUUID } from "node:crypto";

import { pause } from "@podfleet/base/pause";
import { AgentClient } from "@podfleet/bus/agent-client";
import { type Bus, connectBus } from "@podfleet/bus/connection";
import { type HostHandlers, serveHost } from "@podfleet/bus/host-server";
import type { Action, Step } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerUsage } from "@podfleet/model/container/usage";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { AgentEvent } from "@podfleet/model/event";
import type { ExecSession } from "@podfleet/model/exec";
import type { FileStat } from "@podfleet/model/file";
import { heartbeatIntervalMs, type HostInfo } from "@podfleet/model/host";
import type { ContainerId, ExecId, HostId, OperationId } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import type { OperationOutcome, StepResult } from "@podfleet/model/operation";
import { changeResources } from "@podfleet/model/resources";
import { type TransferId, transferIdSchema } from "@podfleet/model/transfer";
import type { WaitRequest } from "@podfleet/protocol/host/wait";
import { agentInboxPrefix } from "@podfleet/protocol/subject";

export interface SimulatedAgentOptions {
  readonly natsUrl: string;
  readonly credentials: string;
  readonly host: HostInfo;
  readonly images: readonly Image[];
}

type ActionOf<Verb extends Action["verb"]> = Extract<Action, { readonly verb: Verb }>;

const requestTimeoutMs = 5_000;

export class SimulatedAgent implements AsyncDisposable {
  /** Operations that took effect, in order. */
  readonly performed: OperationId[] = [];
  readonly outcomes = new Map<OperationId, OperationOutcome>();
  /** Given up by `operation.settle`. */
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
  readonly #options: SimulatedAgentOptions;
  readonly #running = new Map<OperationId, Promise<OperationOutcome>>();
  readonly #forgotten = new Set<OperationId>();
  #events: AgentEvent[] = [];
  #seq = 0;
  #usages = 0;
  #hold: Promise<void> = Promise.resolve();
  #failure: PodfleetError | undefined;
  #bus: Bus | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #reporting: Promise<void> = Promise.resolve();

  constructor(options: SimulatedAgentOptions) {
    this.#options = options;
  }

  get hostId(): HostId {
    return this.#options.host.id;
  }

  /** Connects, serves, says hello and begins to send heartbeats. */
  async start(): Promise<void> {
    const { natsUrl, credentials, host, images } = this.#options;
    this.#bus = await connectBus({
      servers: natsUrl,
      credentials,
      inboxPrefix: agentInboxPrefix(host.id),
      name: host.name,
    });
    await serveHost(this.#bus, host.id, this.#handlers());
    const client = new AgentClient(this.#bus, host.id);
    const timeoutMs = requestTimeoutMs;
    const { committedSeq } = await client.hello({ host, images: [...images] }, { timeoutMs });
    this.#events = this.#events.filter(({ seq }) => seq > committedSeq);
    this.#heartbeat = setInterval(() => this.#beat(client), heartbeatIntervalMs);
    await this.report();
  }

  /** As kill -9: no goodbye. What it remembers is there at the next start. */
  async kill(): Promise<void> {
    clearInterval(this.#heartbeat);
    const bus = this.#bus;
    this.#bus = undefined;
    await bus?.close();
  }

  /** Stays connected and answers nothing but what has begun: as a host whose network is cut. */
  silence(): void {
    clearInterval(this.#heartbeat);
  }

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

  /** Ends a container's run and reports it. */
  async exit(id: ContainerId, exitCode: number): Promise<void> {
    const died = this.#change(id, (snapshot) => ended(snapshot, exitCode));
    this.#append({ type: "container.died", containerId: id, container: died });
    await this.report();
  }

  /** Sends what the control plane has not committed yet. */
  async report(): Promise<void> {
    const batch = this.#events.slice(0, 256);
    const bus = this.#bus;
    if (batch.length === 0 || !bus) return;
    const client = new AgentClient(bus, this.hostId);
    const reply = await client.sendEvents({ events: batch }, { timeoutMs: requestTimeoutMs });
    this.#events = this.#events.filter(({ seq }) => seq > reply.committedSeq);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reporting;
    await this.kill();
  }

  async #reportWhileUp(): Promise<void> {
    const bus = this.#bus;
    try {
      await this.report();
    } catch (error) {
      // What was not committed is sent after the next hello.
      if (bus === this.#bus && !hasCode(error, "UNAVAILABLE")) throw error;
    }
  }

  #beat(client: AgentClient): void {
    try {
      client.heartbeat({ containers: {}, seq: this.#seq });
    } catch (error) {
      if (!hasCode(error, "UNAVAILABLE")) throw error;
    }
  }

  #handlers(): HostHandlers {
    return {
      ping: async () => ({}),
      do: async ({ operationId, action }) => ({
        outcome: await this.#perform(operationId, action),
      }),
      inspect: async ({ containerId }) => {
        throw notFound(containerId);
      },
      wait: async (request, signal) => await this.#wait(request, signal),
      "exec.list": async () => ({ sessions: [...this.execs.values()] }),
      "exec.inspect": async ({ execId }) => ({ session: this.#session(execId) }),
      "exec.wait": async ({ execId }) => ({ session: this.#session(execId) }),
      "exec.resize": async ({ execId }) => {
        this.#session(execId);
        return {};
      },
      "container.resize": async () => ({}),
      "session.open": async () => {
        throw noSessions();
      },
      "session.list": async () => ({ sessions: [] }),
      "session.close": async () => {
        throw noSessions();
      },
      "operation.settle": async ({ operationId }) => this.#settle(operationId),
      stat: async ({ path }) => ({ stat: this.files.get(path) }),
      top: async () => ({ processes: [] }),
      stats: async () => ({ usage: this.usage() }),
      "artifact.list": async () => ({ artifacts: [] }),
      "journal.locate": async () => ({ offset: 0 }),
      "journal.read": async ({ offset }) => ({
        bytes: new Uint8Array(0),
        next: offset,
        ended: true,
      }),
      "transfer.open": async () => {
        const transferId = transferIdSchema.parse(randomUUID());
        this.transfers.set(transferId, this.transferred);
        return { transferId };
      },
      "transfer.read": async ({ transferId, offset, bytesMax }) => {
        const all = this.transfers.get(transferId);
        if (!all) throw new PodfleetError("TRANSFER_NOT_FOUND", "It is not open");
        const next = Math.min(all.length, offset + bytesMax);
        return { bytes: all.subarray(offset, next), next, ended: next === all.length };
      },
      "transfer.close": async ({ transferId }) => {
        this.transfers.delete(transferId);
        return {};
      },
      "upload.chunk": async ({ uploadId, offset, bytes }) => {
        const held = this.uploads.get(uploadId) ?? new Uint8Array(0);
        if (offset !== held.length) return { length: held.length };
        this.uploads.set(uploadId, Buffer.concat([held, bytes]));
        return { length: held.length + bytes.length };
      },
    };
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

  /** Woken by nothing but its own poll: what is tested is the asking side. */
  async #wait({ containerId, condition, run = 1, timeoutMs }: WaitRequest, signal: AbortSignal) {
    this.waits += 1;
    const deadlineMs = Date.now() + timeoutMs;
    while (Date.now() < deadlineMs && !signal.aborted) {
      const container = this.containers.get(containerId);
      if (!container) throw notFound(containerId);
      if (condition !== "removed" && container.exitedRun >= run) {
        const { exitCode } = container;
        const known = exitCode === undefined ? {} : { exitCode };
        return {
          state: "met",
          run,
          ...known,
          exitUnknown: exitCode === undefined,
          container,
        } as const;
      }
      await pause(20, signal);
    }
    return { state: "pending", run } as const;
  }

  #settle(id: OperationId) {
    const outcome = this.outcomes.get(id);
    if (outcome) return { state: "finished", outcome } as const;
    if (this.#running.has(id)) return { state: "running" } as const;
    this.refused.add(id);
    return { state: "unknown" } as const;
  }

  async #perform(id: OperationId, action: Action): Promise<OperationOutcome> {
    const known = this.outcomes.get(id) ?? this.#running.get(id);
    if (known) return await known;
    if (this.refused.has(id)) {
      const error = new PodfleetError("CANCELLED", "Given up before it reached the host");
      return { status: "failed", error: error.toWire() };
    }
    const running = this.#carryOut(id, action);
    this.#running.set(id, running);
    const outcome = await running;
    this.#running.delete(id);
    this.#reporting = this.#reportWhileUp();
    return outcome;
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
        return { status: "succeeded", images: [...this.#options.images] };
      case "container.create":
      case "container.import":
        return this.#create(action);
      case "container.remove": {
        const container = this.#change(action.containerId, (snapshot) => snapshot);
        this.containers.delete(action.containerId);
        return { status: "succeeded", container };
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
      case "exec.start": {
        const exec = startedSession(action);
        this.execs.set(exec.id, exec);
        return { status: "succeeded", exec };
      }
      case "exec.kill":
      case "exec.remove": {
        const exec: ExecSession = {
          ...this.#session(action.execId),
          state: "exited",
          exitCode: 137,
        };
        this.execs.set(exec.id, exec);
        return { status: "succeeded", exec };
      }
    }
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

  #session(id: ExecId): ExecSession {
    const session = this.execs.get(id);
    if (session) return session;
    throw new PodfleetError("EXEC_NOT_FOUND", `Cannot find exec session "${id}"`);
  }

  #create({
    containerId,
    name,
  }: ActionOf<"container.create" | "container.import">): OperationOutcome {
    const [image] = this.#options.images;
    if (!image) return failed(new PodfleetError("IMAGE_NOT_FOUND", "No image is loaded"));
    const snapshot: ContainerSnapshot = {
      id: containerId,
      name,
      revision: 1,
      state: "configured",
      imageId: image.id,
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
    const changed = { ...change(snapshot), revision: snapshot.revision + 1 };
    this.containers.set(id, changed);
    return changed;
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

function noSessions(): PodfleetError {
  return new PodfleetError("UNSUPPORTED", "A simulated host has no sessions");
}
