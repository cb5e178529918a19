/** What a simulated host keeps: its containers, their exec sessions and artifacts, and its log of events. */
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import { PodfleetError } from "@podfleet/model/errors";
import type { AgentEvent } from "@podfleet/model/event";
import type { ExecSession } from "@podfleet/model/exec";
import { type ContainerId, type ExecId, imageIdSchema } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";

import { ended } from "./simulated-steps.ts";

/** The one image that it has. */
export const simulatedImage: Image = {
  id: imageIdSchema.parse(`sha256:${"ab".repeat(32)}`),
  names: ["docker.io/library/busybox:latest"],
  sizeBytes: 1_000_000,
  layers: 1,
};

export class SimulatedRecords {
  readonly containers = new Map<ContainerId, ContainerSnapshot>();
  /** Last snapshots of those that were removed. */
  readonly removed = new Map<ContainerId, ContainerSnapshot>();
  readonly specs = new Map<ContainerId, ContainerSpec>();
  readonly execs = new Map<ExecId, ExecSession>();
  /** Names, by container. */
  readonly artifacts = new Map<ContainerId, Set<string>>();
  readonly #exitCodes = new Map<string, number>();
  #events: AgentEvent[] = [];
  #seq = 0;

  get lastSeq(): number {
    return this.#seq;
  }

  get outbox(): readonly AgentEvent[] {
    return this.#events;
  }

  committed(seq: number): void {
    this.#events = this.#events.filter((event) => event.seq > seq);
  }

  append(event: Omit<AgentEvent, "seq" | "time" | "attributes">): void {
    this.#seq += 1;
    const time = new Date().toISOString();
    this.#events.push({ seq: this.#seq, time, attributes: {}, ...event });
  }

  /** @throws PodfleetError CONTAINER_NOT_FOUND */
  get(id: ContainerId): ContainerSnapshot {
    const found = this.containers.get(id);
    if (found) return found;
    throw new PodfleetError("CONTAINER_NOT_FOUND", `Cannot find container "${id}"`);
  }

  /** The last snapshot, also of one that was removed. @throws PodfleetError CONTAINER_NOT_FOUND */
  last(id: ContainerId): ContainerSnapshot {
    return this.removed.get(id) ?? this.get(id);
  }

  change(
    id: ContainerId,
    change: (snapshot: ContainerSnapshot) => ContainerSnapshot,
  ): ContainerSnapshot {
    const before = this.get(id);
    const after = { ...change(before), revision: before.revision + 1 };
    this.containers.set(id, after);
    if (after.exitedRun > before.exitedRun && after.exitCode !== undefined) {
      this.#exitCodes.set(`${id} ${after.exitedRun}`, after.exitCode);
    }
    return after;
  }

  exitCode(id: ContainerId, run: number): number | undefined {
    return this.#exitCodes.get(`${id} ${run}`);
  }

  /** The container's process ends, and its exec sessions with it. */
  exit(id: ContainerId, exitCode: number): void {
    for (const { id: execId, containerId, state } of this.execs.values()) {
      if (containerId === id && state === "running") this.exitExec(execId, 137);
    }
    const container = this.change(id, (snapshot) => ended(snapshot, exitCode));
    this.append({ type: "container.died", containerId: id, container });
  }

  /** @throws PodfleetError EXEC_NOT_FOUND */
  session(id: ExecId): ExecSession {
    const session = this.execs.get(id);
    if (session) return session;
    throw new PodfleetError("EXEC_NOT_FOUND", `Cannot find exec session "${id}"`);
  }

  exitExec(id: ExecId, exitCode: number): void {
    const { pid: _, ...session } = this.session(id);
    this.execs.set(id, { ...session, state: "exited", exitCode });
    this.append({ type: "exec.died", containerId: session.containerId });
  }
}
