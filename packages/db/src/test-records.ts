/** A database of its own for each test of queries, and the records that the tests begin with. */
import {
  type ContainerSnapshot,
  containerSnapshotSchema,
} from "@podfleet/model/container/snapshot";
import { containerSpecSchema } from "@podfleet/model/container/spec";
import { type AgentEvent, agentEventSchema } from "@podfleet/model/event";
import { type HostInfo, hostInfoSchema } from "@podfleet/model/host";
import {
  type ContainerId,
  imageIdSchema,
  newContainerId,
  newHostId,
  newOperationId,
  type OperationId,
} from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import type { Labels } from "@podfleet/model/name";
import type { OperationStatus } from "@podfleet/model/operation";
import type { Capacity } from "@podfleet/model/resources";
import type { SpanRecord } from "@podfleet/model/span";
import type { Verb } from "@podfleet/model/verb/verbs";
import type { TestPostgres } from "@podfleet/testkit/test-database";

import { recordCreation } from "./admission.ts";
import type { ContainerRow } from "./containers.ts";
import { type Database, openDatabase } from "./database.ts";
import { registerHost } from "./hosts.ts";
import { insertOperation } from "./operations.ts";

const caller = { caller: "test", traceId: undefined } as const;

export interface TestRecords extends AsyncDisposable {
  readonly database: Database;
}

export interface TestContainer {
  readonly id: ContainerId;
  readonly name: string;
}

export async function openRecords(postgres: TestPostgres): Promise<TestRecords> {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await postgres.createDatabase());
  const onIdleError = (error: Error): void => void process.stderr.write(`${error.message}\n`);
  const { database, close } = openDatabase({ url, applicationName: "test", onIdleError });
  stack.defer(close);
  const owned = stack.move();
  return { database, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
}

export function newHost(name: string, rest: Partial<HostInfo> = {}): HostInfo {
  return hostInfoSchema.parse({
    id: newHostId(),
    name,
    labels: {},
    capacity: { cpuMillis: 4_000, memoryBytes: 2 ** 33 },
    agentVersion: "0.1.0",
    kernelVersion: "6.18",
    architecture: "x64",
    cgroupMode: "v2",
    runtime: { name: "runc", version: "1.1.5" },
    monitorVersion: "2.1.6",
    bootId: "boot",
    ...rest,
  });
}

export async function addHost(
  database: Database,
  name: string,
  rest: Partial<HostInfo> = {},
): Promise<HostInfo> {
  const host = newHost(name, rest);
  await registerHost(database, host, []);
  return host;
}

export interface TestContainerOptions {
  readonly id?: ContainerId;
  /** The operation that makes it. */
  readonly operation?: OperationId;
  readonly reservation?: Capacity;
  readonly labels?: Labels;
}

export async function addContainer(
  database: Database,
  host: HostInfo,
  name: string,
  options: TestContainerOptions = {},
): Promise<TestContainer> {
  const recorded = await recordContainer(database, host, name, options);
  if (!recorded) throw new Error(`The operation that makes "${name}" is recorded already`);
  return { id: recorded.id, name };
}

/** Records a container and the operation that makes it, under way. Undefined when the operation is recorded already. */
export async function recordContainer(
  database: Database,
  host: HostInfo,
  name: string,
  options: TestContainerOptions = {},
): Promise<ContainerRow | undefined> {
  const { id = newContainerId(), operation = newOperationId(), labels = {} } = options;
  const listed = { ...host, state: "ready", helloCount: 1, lastSeenAt: new Date() } as const;
  const spec = containerSpecSchema.parse({ image: "hello:1", command: ["serve"], labels });
  const reservation = options.reservation ?? { cpuMillis: 0, memoryBytes: 0 };
  const creation = { id: operation, verb: "container.create", request: {}, ...caller } as const;
  return await recordCreation(
    database,
    { ...creation, status: "dispatched" },
    { id, name, host: listed, spec, reservation },
  );
}

/** Records an operation on a container as under way. */
export async function addOperation(
  database: Database,
  {
    host,
    verb,
    container,
    status = "dispatched",
  }: {
    readonly host: HostInfo;
    readonly verb: Verb;
    readonly container?: TestContainer;
    readonly status?: Exclude<OperationStatus, "succeeded" | "failed">;
  },
): Promise<OperationId> {
  const id = newOperationId();
  const operation = {
    ...{ id, verb, request: { verb }, hostId: host.id },
    ...(container && { container }),
    ...caller,
  };
  await insertOperation(database, operation, status);
  return id;
}

export function newEvent(seq: number, rest: Partial<AgentEvent> = {}): AgentEvent {
  const base = { seq, type: "container.sync", time: "2026-11-23T00:00:00.000Z" };
  return agentEventSchema.parse({ ...base, ...rest });
}

/** An image whose id consists of `digits`. */
export function newImage(digits: string, rest: Partial<Image> = {}): Image {
  const id = imageIdSchema.parse(`sha256:${digits.repeat(64).slice(0, 64)}`);
  return { id, names: [`localhost/${digits}:latest`], sizeBytes: 100, layers: 1, ...rest };
}

/** A container's state as its agent reports it. */
export function newSnapshot(
  container: TestContainer,
  revision: number,
  rest: Partial<ContainerSnapshot> = {},
): ContainerSnapshot {
  return containerSnapshotSchema.parse({
    ...container,
    revision,
    state: "running",
    imageId: newImage("ab").id,
    run: 1,
    createdAt: "2026-11-23T00:00:00.000Z",
    ...rest,
  });
}

/** A span of one trace, the `index`th to start. */
export function newSpan(index: number): SpanRecord {
  return {
    traceId: "f".repeat(32),
    spanId: index.toString(16).padStart(16, "0"),
    name: `span ${index}`,
    serviceName: "podfleet-agent",
    startTimeUnixNano: String(1_000 + index),
    endTimeUnixNano: String(2_000 + index),
    status: "ok",
    attributes: {},
  };
}
