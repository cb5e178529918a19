/**
 * Client of a fleet for scripts:
 *
 *     const client = createClient({ url: "http://127.0.0.1:7575", token });
 *     const { container } = await client.api.containers.create.mutate({ spec: { image: "busybox" } });
 *
 * `api` is the typed tRPC client. The other methods stream data or wait, and continue after an outage of the control plane. Every failure
 * is a PodfleetError.
 */
import type { ContainerStats } from "@podfleet/model/container/usage";
import type { EventRecord } from "@podfleet/model/event";
import { eventRecordSchema } from "@podfleet/model/event";
import type { ImageLoadResult } from "@podfleet/model/image";
import type { OutageOptions } from "@podfleet/protocol/session/outage";

import { createApi } from "./api.ts";
import type { Api, ApiInputs, ApiOutputs } from "./api.ts";
import { downloadCheckpoint, restoreArchive } from "./checkpoint-archive.ts";
import type { RestoreArchiveOptions } from "./checkpoint-archive.ts";
import { Connection } from "./connection.ts";
import type { ConnectionOptions } from "./connection.ts";
import { startExec } from "./exec.ts";
import type { ExecRequest, ExecRun } from "./exec.ts";
import { containerFiles } from "./files.ts";
import type { ContainerFiles } from "./files.ts";
import { loadImage } from "./image-load.ts";
import type { ImageLoadOptions } from "./image-load.ts";
import { followLogChunks, followLogs, journalEnd } from "./logs.ts";
import type { LogRecord, LogsRequest } from "./logs.ts";
import { persist } from "./retrying.ts";
import { openSession } from "./session.ts";
import type { SessionOptions, SessionRequest, SessionStream } from "./session.ts";
import { watchStats } from "./stats.ts";
import type { StatsRequest } from "./stats.ts";
import { subscribe } from "./subscription.ts";
import type { ContainerResult } from "./upload.ts";

export type WaitRequest = ApiInputs["containers"]["wait"];
export type WaitResult = ApiOutputs["containers"]["wait"];
export type WatchRequest = Omit<Extract<ApiInputs["events"]["watch"], object>, "lastEventId">;

export interface Client {
  readonly url: string;
  readonly api: Api;
  /** Yields a container's output, record by record. */
  followLogs(request: LogsRequest, options?: OutageOptions): AsyncGenerator<LogRecord, void>;
  /** Like `followLogs`, in chunks of records. */
  followLogChunks(request: LogsRequest, options?: OutageOptions): AsyncGenerator<LogRecord[], void>;
  /** Resolves with the offset after a container's output so far, where the output of its next run begins. */
  journalEnd(container: string): Promise<number>;
  /** Yields the fleet's events in order and without gaps until the signal is aborted. */
  watchEvents(request: WatchRequest, options?: OutageOptions): AsyncGenerator<EventRecord, void>;
  /**
   * Resolves when the condition is met. Waits for the run that is under way at the call, even when the container is restarted
   * meanwhile.
   */
  wait(request: WaitRequest, options?: OutageOptions): Promise<WaitResult>;
  /**
   * Starts a command in a running container, exactly once:
   *
   *     const ls = await client.exec({ container: "web", spec: { command: ["ls"] } });
   *     for await (const records of ls.output()) show(records);
   *     const { exitCode } = await ls.wait();
   */
  exec(request: ExecRequest, options?: OutageOptions): Promise<ExecRun>;
  /**
   * Opens a session with the command of a container or of an exec session, or resumes a session.
   * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND, SESSION_NOT_FOUND, SESSION_ENDED, SESSION_IN_USE, STATE_INVALID,
   *   FORBIDDEN when another caller opened it, HOST_UNREACHABLE, UNAVAILABLE
   */
  openSession(request: SessionRequest, options?: SessionOptions): Promise<SessionStream>;
  /** Uploads and downloads of a container's files. */
  files(container: string): ContainerFiles;
  /** Yields samples of containers' resource usage until the signal is aborted; one sample with `once`. */
  watchStats(
    request: StatsRequest,
    options?: OutageOptions,
  ): AsyncGenerator<ContainerStats[], void>;
  /** Downloads the archive of a container's last checkpoint. */
  downloadCheckpoint(container: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void>;
  /** Restores a checkpoint archive as a new container. */
  restoreArchive(
    archive: Blob | ReadableStream<Uint8Array>,
    options?: RestoreArchiveOptions,
  ): Promise<ContainerResult>;
  /** Loads an image archive on hosts. */
  loadImage(
    archive: Blob | ReadableStream<Uint8Array>,
    options?: ImageLoadOptions,
  ): Promise<ImageLoadResult>;
}

/** @throws PodfleetError INVALID_INPUT when the URL is not an http or https one */
export function createClient(options: ConnectionOptions): Client {
  const connection = new Connection(options);
  const api = createApi(connection);
  return {
    url: connection.url,
    api,
    followLogs: (request, outage) => followLogs(connection, request, outage),
    followLogChunks: (request, outage) => followLogChunks(connection, request, outage),
    journalEnd: async (container) => await journalEnd(connection, container),
    watchEvents: (request, outage) => watchEvents({ api, connection }, request, outage),
    wait: async (request, outage) => await wait(api, request, outage),
    exec: async (request, outage) => await startExec({ api, connection }, request, outage),
    openSession: async (request, options) =>
      await openSession({ api, connection }, request, options),
    files: (container) => containerFiles(connection, container),
    watchStats: (request, outage) => watchStats(connection, request, outage),
    downloadCheckpoint: (container, signal) => downloadCheckpoint(connection, container, signal),
    restoreArchive: async (archive, options) => await restoreArchive(connection, archive, options),
    loadImage: async (archive, load) => await loadImage(connection, archive, load),
  };
}

async function* watchEvents(
  { api, connection }: { readonly api: Api; readonly connection: Connection },
  request: WatchRequest,
  outage?: OutageOptions,
): AsyncGenerator<EventRecord, void> {
  const input = { ...request, ...(request.since ? {} : { lastEventId: await lastPosition(api) }) };
  for await (const { data } of subscribe(connection, { path: "events.watch", input }, outage)) {
    yield eventRecordSchema.parse(data);
  }
}

/** @returns the position of the last event, so that no later one is missed when the connection breaks early */
async function lastPosition(api: Api): Promise<string> {
  const [last] = await api.events.list.query({ limit: 1 });
  return String(last?.position ?? 0);
}

async function wait(
  api: Api,
  request: WaitRequest,
  outage: OutageOptions = {},
): Promise<WaitResult> {
  const { signal } = outage;
  const options = signal ? { signal } : {};
  const run = await persist(async () => await presentRun(api, request), outage);
  const pinned = run === undefined ? request : { ...request, run };
  return await persist(async () => await api.containers.wait.mutate(pinned, options), {
    ...outage,
    whenDown: "retry",
  });
}

/** @returns the current or last run, so that a repeated request waits for the same one */
async function presentRun(api: Api, request: WaitRequest): Promise<number | undefined> {
  if (request.run !== undefined || (request.condition ?? "exit") !== "exit") return request.run;
  const { run } = await api.containers.inspect.query({ container: request.container });
  return run === 0 ? undefined : run;
}
