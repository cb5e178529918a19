/**
 * The truth about a host's containers, on disk. Every change goes through a commit that writes the new snapshot, its event
 * and, when it ends an operation, the outcome, in one transaction. Reads are of what was last committed and never wait.
 *
 * The store decides revisions, event sequence numbers and whether a change of state is one that the model allows; what
 * to change is its callers' business, who hold the container's lock.
 */
import type { Clock } from "@podfleet/base/clock";
import { invariant } from "@podfleet/base/invariant";
import type { HealthLog, HealthResult } from "@podfleet/model/container/healthcheck";
import {
  type ContainerSnapshot,
  containerSnapshotSchema,
} from "@podfleet/model/container/snapshot";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import { isTransition } from "@podfleet/model/container/state";
import { PodfleetError, type WireError } from "@podfleet/model/errors";
import type { AgentEvent } from "@podfleet/model/event";
import type { EventType } from "@podfleet/model/event-type";
import type { ExecSession } from "@podfleet/model/exec";
import type { ContainerId, OperationId } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import type { OperationOutcome, StepResult } from "@podfleet/model/operation";
import type { Verb } from "@podfleet/model/verb/verbs";
import { eq } from "drizzle-orm";

import type { ContainerProcesses, ContainerRecord } from "./container-record.ts";
import { ContainerTable, type RunEnd } from "./container-table.ts";
import { Database } from "./database.ts";
import { EventTable } from "./event-table.ts";
import { ExecTable } from "./exec-table.ts";
import { JournalTable } from "./journal-table.ts";
import { OperationRecords } from "./operation-records.ts";
import { Outbox } from "./outbox.ts";
import { meta } from "./schema.ts";
import { SessionTable } from "./session-table.ts";

/** The operation on whose behalf a change is made. */
export interface OperationRef {
  readonly id: OperationId;
  /** Verb of the step, when it is one of a batch. */
  readonly verb: Verb;
  /** Position of the step in its batch. */
  readonly step?: number | undefined;
}

/** New values of a snapshot's fields; undefined clears one. */
export type SnapshotChanges = {
  readonly [K in Exclude<keyof ContainerSnapshot, "id" | "revision" | "createdAt">]?:
    | ContainerSnapshot[K]
    | undefined;
};

/** What a commit says beside the change itself. */
export interface CommitNote {
  readonly event: EventType;
  readonly attributes?: AgentEvent["attributes"];
  readonly operation?: OperationRef | undefined;
  /** The commit ends `operation`, or the step that it is about: well, or with this error. */
  readonly ends?: "succeeded" | WireError | undefined;
  readonly image?: Image;
  /** The images that an operation that ends well has loaded. */
  readonly images?: Image[];
  /** The exec session as an operation that ends well leaves it. */
  readonly exec?: ExecSession | undefined;
  /** The result of the healthcheck that an operation that ends well has run. */
  readonly health?: HealthResult | undefined;
  /** The results of the steps, when it ends a batch. */
  readonly steps?: StepResult[] | undefined;
}

/** What a commit changes beside the container's snapshot. */
export interface SideChange {
  /** Writes within the transaction. */
  readonly write?: () => void;
  /** Brings what is kept in memory up to what was committed. */
  readonly remember?: () => void;
}

interface CommitChange extends SideChange {
  /** The snapshot after the change. */
  readonly snapshot: ContainerSnapshot | undefined;
}

export class StateStore {
  readonly outbox: Outbox;
  readonly operations: OperationRecords;
  readonly execTable: ExecTable;
  readonly sessionTable: SessionTable;
  readonly journalTable: JournalTable;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #table: ContainerTable;
  readonly #records = new Map<ContainerId, ContainerRecord>();
  readonly #listeners = new Map<ContainerId, Set<() => void>>();

  private constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#table = new ContainerTable(database);
    this.operations = new OperationRecords(database);
    this.execTable = new ExecTable(database);
    this.sessionTable = new SessionTable(database);
    this.journalTable = new JournalTable(database);
    this.outbox = new Outbox(new EventTable(database));
    for (const record of this.#table.load()) this.#records.set(record.snapshot.id, record);
  }

  /** @throws PodfleetError INVALID_INPUT when another engine holds the file */
  static open(path: string, clock: Clock): StateStore {
    return new StateStore(Database.open(path), clock);
  }

  close(): void {
    this.#database.close();
  }

  find(id: ContainerId): ContainerRecord | undefined {
    return this.#records.get(id);
  }

  /** @throws PodfleetError CONTAINER_NOT_FOUND */
  get(id: ContainerId): ContainerRecord {
    const record = this.#records.get(id);
    if (record === undefined) {
      throw new PodfleetError(
        "CONTAINER_NOT_FOUND",
        `Cannot find container "${id}": no container of this host has that id`,
      );
    }
    return record;
  }

  list(): ContainerRecord[] {
    return [...this.#records.values()];
  }

  /** The last snapshot of a container that was removed not long ago. */
  findRemoved(id: ContainerId): ContainerSnapshot | undefined {
    return this.#table.findRemoved(id);
  }

  /** How a run ended, also of a container removed not long ago. */
  findExit(id: ContainerId, run: number): RunEnd | undefined {
    return this.#table.findExit(id, run);
  }

  /** Calls `listener` after each commit that changed the container. Returns what ends it. */
  onChange(id: ContainerId, listener: () => void): () => void {
    const listeners = this.#listeners.get(id) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(id, listeners);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }

  /** Commits a new container. */
  create(record: ContainerRecord, note: CommitNote): ContainerSnapshot {
    const { snapshot } = record;
    invariant(!this.#records.has(snapshot.id), `container ${snapshot.id} is new`);
    this.#commit(note, {
      snapshot,
      write: () => this.#table.save(record),
      remember: () => this.#records.set(snapshot.id, record),
    });
    return snapshot;
  }

  /**
   * Commits changes of a container; `processes`, `spec` and `healthLog` stay as they were when absent. `outputEnd` goes with the end of
   * a run.
   */
  update(
    id: ContainerId,
    changes: SnapshotChanges & {
      readonly processes?: ContainerProcesses;
      readonly spec?: ContainerSpec;
      readonly healthLog?: HealthLog | undefined;
      readonly outputEnd?: number;
    },
    note: CommitNote,
  ): ContainerSnapshot {
    const record = this.get(id);
    const { processes, spec, healthLog, outputEnd = null, ...fields } = changes;
    const snapshot = nextSnapshot(record.snapshot, fields);
    const next: ContainerRecord = {
      snapshot,
      spec: spec ?? record.spec,
      processes: processes ?? record.processes,
      healthLog: healthLog ?? record.healthLog,
    };
    this.#commit(note, {
      snapshot,
      write: () => {
        this.#table.save(next);
        if (snapshot.exitedRun > record.snapshot.exitedRun) {
          const exitCode = snapshot.exitCode ?? null;
          this.#table.saveExit(id, snapshot.exitedRun, { exitCode, outputEnd });
        }
      },
      remember: () => this.#records.set(id, next),
    });
    return snapshot;
  }

  /** Keeps what only the engine itself needs to know of a container: neither a change of its state nor an event. */
  saveProcesses(id: ContainerId, processes: ContainerProcesses): void {
    this.#keep(id, { processes });
  }

  /** Keeps how a check went that changed nothing. */
  saveHealthLog(id: ContainerId, healthLog: HealthLog): void {
    this.#keep(id, { healthLog });
  }

  #keep(id: ContainerId, part: Partial<ContainerRecord>): void {
    const record = { ...this.get(id), ...part };
    this.#table.save(record);
    this.#records.set(id, record);
  }

  /** Commits that a container is gone; returns its last snapshot. */
  remove(id: ContainerId, note: CommitNote): ContainerSnapshot {
    const { snapshot } = this.get(id);
    this.#commit(note, {
      snapshot,
      write: () => this.#table.remove(snapshot, this.#clock.nowMs()),
      remember: () => this.#records.delete(id),
    });
    return snapshot;
  }

  /** Commits an event, and the end of an operation, that changed no container; `id` is the one it was about. */
  note(id: ContainerId | undefined, note: CommitNote, change: SideChange = {}): void {
    const snapshot = id && (this.find(id)?.snapshot ?? this.findRemoved(id));
    this.#commit(note, { snapshot, ...change });
  }

  /** Commits that an operation, or its step, has succeeded, where no event of its own says so. */
  succeed(id: ContainerId, operation: OperationRef, exec?: ExecSession): void {
    if (operation.step === undefined) {
      return this.note(id, { event: "operation.finished", operation, ends: "succeeded", exec });
    }
    const result = { status: "succeeded", verb: operation.verb } as const;
    const container = this.get(id).snapshot;
    this.operations.finishStep(operation.id, { ...result, container, ...(exec && { exec }) });
  }

  /** The boot of the host at which the engine last ran. */
  findBootId(): string | undefined {
    return this.#database.orm.select().from(meta).where(eq(meta.key, "bootId")).get()?.value;
  }

  saveBootId(value: string): void {
    this.#database.orm
      .insert(meta)
      .values({ key: "bootId", value })
      .onConflictDoUpdate({ target: meta.key, set: { value } })
      .run();
  }

  /** Ids of containers removed before `beforeMs`. */
  removedBefore(beforeMs: number): ContainerId[] {
    return this.#table.removedBefore(beforeMs);
  }

  forgetRemoved(id: ContainerId): void {
    this.#database.transaction(() => this.#table.forgetRemoved(id));
  }

  #commit(note: CommitNote, change: CommitChange): void {
    const { snapshot } = change;
    const nowMs = this.#clock.nowMs();
    const isStep = note.operation?.step !== undefined;
    const outcome = note.ends && !isStep ? outcomeOf(note.ends, snapshot, note) : undefined;
    const event = this.#database.transaction(() => {
      change.write?.();
      if (note.operation && outcome) this.operations.finish(note.operation.id, outcome, nowMs);
      if (note.operation && note.ends === "succeeded" && isStep && snapshot) {
        const result = { status: "succeeded", verb: note.operation.verb } as const;
        const exec = note.exec ? { exec: note.exec } : {};
        this.operations.finishStep(note.operation.id, { ...result, container: snapshot, ...exec });
      }
      return this.outbox.append({
        type: note.event,
        time: new Date(nowMs).toISOString(),
        ...(snapshot ? { containerId: snapshot.id, container: snapshot } : {}),
        ...(note.image ? { image: note.image } : {}),
        ...(note.operation
          ? { operation: { ...note.operation, ...(outcome && { outcome }) } }
          : {}),
        attributes: note.attributes ?? {},
      });
    });
    change.remember?.();
    this.outbox.published(event);
    if (snapshot) this.#changed(snapshot.id);
  }

  #changed(id: ContainerId): void {
    for (const listener of this.#listeners.get(id) ?? []) listener();
  }
}

function nextSnapshot(current: ContainerSnapshot, changes: SnapshotChanges): ContainerSnapshot {
  const to = changes.state ?? current.state;
  invariant(
    to === current.state || isTransition(current.state, to),
    `container ${current.id} may go from "${current.state}" to "${to}"`,
  );
  const merged = { ...current, ...changes, revision: current.revision + 1 };
  const kept = Object.entries(merged).filter(([, value]) => value !== undefined);
  return containerSnapshotSchema.parse(Object.fromEntries(kept));
}

function outcomeOf(
  ends: "succeeded" | WireError,
  container: ContainerSnapshot | undefined,
  { images, exec, health, steps }: Pick<CommitNote, "images" | "exec" | "health" | "steps">,
): OperationOutcome {
  const shared = { ...(container && { container }), ...(steps && { steps }) };
  return ends === "succeeded"
    ? {
        status: "succeeded",
        ...shared,
        ...(images && { images }),
        ...(exec && { exec }),
        ...(health && { health }),
      }
    : { status: "failed", error: ends, ...shared };
}
