/**
 * A host whose containers are records only: each action changes the state at once and nothing runs. It keeps an agent's
 * promises to the control plane — an operation takes effect once, each commit is an event, events have no gaps — so that
 * a test can have hundreds of hosts. What a container does is up to the test: `exit` ends its process.
 */
import { createHash } from "node:crypto";

import type { Action } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import { assertAllowed, type ContainerState } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";
import type { AgentEvent, EventType } from "@podfleet/model/event";
import { type ContainerId, imageIdSchema, type OperationId } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import type { OperationOutcome } from "@podfleet/model/operation";
import type { InspectReply } from "@podfleet/protocol/host/inspect";
import type { SettleReply } from "@podfleet/protocol/host/settle";
import type { WaitReply, WaitRequest } from "@podfleet/protocol/host/wait";

interface Container {
  readonly snapshot: ContainerSnapshot;
  readonly spec: ContainerSpec;
}

interface Operation {
  readonly action: string;
  readonly outcome: OperationOutcome;
}

type ContainerAction = Exclude<Action, { verb: "container.create" | "image.load" }>;

/** What of a snapshot a commit sets. */
type Change = Partial<Omit<ContainerSnapshot, "id" | "revision" | "createdAt">>;

export class SimulatedHost {
  /** Those that were removed too, for whoever waits for them. */
  readonly #containers = new Map<ContainerId, Container>();
  readonly #operations = new Map<OperationId, Operation | "refused">();
  readonly #images: Image[] = [];
  readonly #events: AgentEvent[] = [];
  readonly #listeners = new Set<() => void>();
  #nextPid = 1_000;

  /** Calls `listener` after each commit; returns what ends that. */
  onCommit(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  images(): Image[] {
    return [...this.#images];
  }

  snapshots(): ContainerSnapshot[] {
    const all = [...this.#containers.values()].map(({ snapshot }) => snapshot);
    return all.filter(({ state }) => state !== "removing");
  }

  lastSeq(): number {
    return this.#events.length;
  }

  eventsAfter(seq: number, limit: number): AgentEvent[] {
    return this.#events.slice(seq, seq + limit);
  }

  /** @throws PodfleetError CONFLICT when the id stands for another action, or was settled as unknown */
  perform(request: {
    readonly operationId: OperationId;
    readonly action: Action;
  }): OperationOutcome {
    const { operationId, action } = request;
    const known = this.#operations.get(operationId);
    const text = JSON.stringify(action);
    if (known === "refused" || (known && known.action !== text)) {
      throw new PodfleetError(
        "CONFLICT",
        `Cannot perform operation "${operationId}": its id is taken`,
      );
    }
    if (known) return known.outcome;
    const outcome = this.#attempt(operationId, action);
    this.#operations.set(operationId, { action: text, outcome });
    return outcome;
  }

  settle(operationId: OperationId): SettleReply {
    const known = this.#operations.get(operationId);
    if (known && known !== "refused") return { state: "finished", outcome: known.outcome };
    this.#operations.set(operationId, "refused");
    return { state: "unknown" };
  }

  inspect(id: ContainerId): InspectReply {
    const { snapshot, spec } = this.#get(id);
    const paths = { bundle: `/simulated/${id}`, journal: `/simulated/${id}/journal` };
    return { container: snapshot, spec, asOf: new Date().toISOString(), paths };
  }

  /** Ends the process of a running container, as if it had exited by itself. */
  exit(id: ContainerId, exitCode: number): void {
    const { snapshot } = this.#get(id);
    this.#commit("container.died", id, exited(snapshot, exitCode));
  }

  /** Resolves as the agent's `wait` does. */
  async wait(request: WaitRequest, signal: AbortSignal): Promise<WaitReply> {
    const run = request.run ?? this.#get(request.containerId).snapshot.run;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(request.timeoutMs)]);
    for (;;) {
      const { snapshot } =
        this.#containers.get(request.containerId) ?? this.#get(request.containerId);
      if (isMet(request.condition, snapshot, run)) {
        const { exitCode, exitUnknown } = snapshot;
        const met = { state: "met", run, exitUnknown, container: snapshot } as const;
        return exitCode === undefined ? met : { ...met, exitCode };
      }
      if (deadline.aborted) return { state: "pending", run };
      await this.#nextCommit(deadline);
    }
  }

  #attempt(operationId: OperationId, action: Action): OperationOutcome {
    try {
      if (action.verb === "container.create") return this.#create(operationId, action);
      if (action.verb === "image.load") return this.#load(operationId, action.uploadId);
      return this.#change(operationId, action);
    } catch (error) {
      const outcome = { status: "failed", error: PodfleetError.from(error).toWire() } as const;
      const operation = { id: operationId, verb: action.verb, outcome };
      this.#append({ type: "operation.finished", operation });
      return outcome;
    }
  }

  #create(
    operationId: OperationId,
    action: Extract<Action, { verb: "container.create" }>,
  ): OperationOutcome {
    const { containerId, name, spec } = action;
    const snapshot: ContainerSnapshot = {
      id: containerId,
      name,
      revision: 0,
      state: "configured",
      imageId: imageIdOf(spec.image),
      run: 0,
      exitedRun: 0,
      exitUnknown: false,
      oomKilled: false,
      stoppedByUser: false,
      restartCount: 0,
      createdAt: new Date().toISOString(),
    };
    this.#containers.set(containerId, { snapshot, spec });
    return this.#commit(
      "container.create",
      containerId,
      {},
      { id: operationId, verb: action.verb },
    );
  }

  #load(operationId: OperationId, uploadId: OperationId): OperationOutcome {
    const name = `localhost/simulated-${uploadId}:latest`;
    const image = { id: imageIdOf(name), names: [name], sizeBytes: 1, layers: 1 };
    this.#images.push(image);
    const outcome: OperationOutcome = { status: "succeeded", images: [image] };
    const operation = { id: operationId, verb: "image.load" as const, outcome };
    this.#append({ type: "image.load", image, operation });
    return outcome;
  }

  #change(operationId: OperationId, action: ContainerAction): OperationOutcome {
    const { snapshot } = this.#get(action.containerId);
    const operation = { id: operationId, verb: action.verb };
    const [type, change] = this.#step(action, snapshot);
    return this.#commit(type, action.containerId, change, operation);
  }

  #step(action: ContainerAction, snapshot: ContainerSnapshot): [EventType, Change] {
    switch (action.verb) {
      case "container.init":
        assertAllowed("init", snapshot);
        return ["container.init", { state: "created", pid: this.#nextPid++ }];
      case "container.start":
      case "container.restart":
        assertAllowed(action.verb === "container.start" ? "start" : "restart", snapshot);
        return [
          "container.start",
          {
            state: "running",
            run: snapshot.run + 1,
            pid: this.#nextPid++,
            stoppedByUser: false,
            startedAt: new Date().toISOString(),
          },
        ];
      case "container.pause":
        assertAllowed("pause", snapshot);
        return ["container.pause", { state: "paused" }];
      case "container.unpause":
        assertAllowed("unpause", snapshot);
        return ["container.unpause", { state: "running" }];
      case "container.healthcheck":
        assertAllowed("healthcheck", snapshot);
        return ["container.health_status", { health: "healthy" }];
      case "container.rename":
        return ["container.rename", { name: action.name }];
      case "container.stop":
        assertRunning(snapshot);
        return ["container.stop", { ...exited(snapshot, 143), stoppedByUser: true }];
      case "container.kill":
        assertAllowed("kill", snapshot);
        return [
          "container.kill",
          { ...exited(snapshot, 128 + action.signal), stoppedByUser: true },
        ];
      case "container.remove":
        assertAllowed(action.force ? "forceRemove" : "remove", snapshot);
        return ["container.remove", { ...exited(snapshot, 137), state: "removing" }];
      case "container.sync":
        return ["container.sync", {}];
      case "container.cleanup":
      case "container.refresh":
      case "container.update":
      case "container.batch":
        throw new PodfleetError("UNSUPPORTED", `A simulated host has no ${action.verb}`);
      case "container.mount":
      case "container.unmount":
      case "container.copy":
      case "artifact.add":
      case "artifact.remove":
        throw new PodfleetError("UNSUPPORTED", "A simulated host has no files");
      case "container.checkpoint":
      case "container.restore":
      case "container.import":
        throw new PodfleetError("UNSUPPORTED", "A simulated host has no CRIU");
      case "exec.start":
      case "exec.kill":
      case "exec.remove":
        throw new PodfleetError("UNSUPPORTED", "A simulated host runs no commands");
    }
  }

  #commit(
    type: EventType,
    id: ContainerId,
    change: Change,
    operation?: { readonly id: OperationId; readonly verb: Action["verb"] },
  ): OperationOutcome {
    const { snapshot, spec } = this.#get(id);
    const { pid, ...lasting } = { ...snapshot, ...change };
    const container: ContainerSnapshot = {
      ...lasting,
      ...(pid !== undefined && hasProcess(lasting.state) ? { pid } : {}),
      revision: snapshot.revision + 1,
    };
    this.#containers.set(id, { snapshot: container, spec });
    const outcome = { status: "succeeded", container } as const;
    const ended = operation ? { operation: { ...operation, outcome } } : {};
    this.#append({ type, containerId: id, container, ...ended });
    return outcome;
  }

  #append(event: Omit<AgentEvent, "seq" | "time" | "attributes">): void {
    const seq = this.#events.length + 1;
    this.#events.push({ ...event, seq, time: new Date().toISOString(), attributes: {} });
    for (const listener of this.#listeners) listener();
  }

  #get(id: ContainerId): Container {
    const container = this.#containers.get(id);
    if (container && container.snapshot.state !== "removing") return container;
    throw new PodfleetError("CONTAINER_NOT_FOUND", `Cannot find container "${id}" on the host`);
  }

  async #nextCommit(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopListening = this.onCommit(resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    stopListening();
  }
}

function assertRunning(snapshot: ContainerSnapshot): void {
  if (snapshot.state === "exited" || snapshot.state === "stopped") {
    throw new PodfleetError("ALREADY_STOPPED", `Container "${snapshot.name}" has already stopped`);
  }
  assertAllowed("stop", snapshot);
}

function exited(snapshot: ContainerSnapshot, exitCode: number): Change {
  if (!hasProcess(snapshot.state)) return {};
  const finishedAt = new Date().toISOString();
  return { state: "exited", exitCode, exitedRun: snapshot.run, finishedAt };
}

function hasProcess(state: ContainerState): boolean {
  return state === "created" || state === "running" || state === "paused";
}

function isMet(
  condition: WaitRequest["condition"],
  snapshot: ContainerSnapshot,
  run: number,
): boolean {
  if (condition === "exit") return snapshot.exitedRun >= run && snapshot.state !== "running";
  if (condition === "next-exit") return snapshot.exitedRun > run;
  if (condition === "removed") return snapshot.state === "removing";
  return snapshot.state === condition;
}

function imageIdOf(name: string): Image["id"] {
  return imageIdSchema.parse(`sha256:${createHash("sha256").update(name).digest("hex")}`);
}
