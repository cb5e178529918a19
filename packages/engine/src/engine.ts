/**
 * A host's container engine: records in SQLite, containers by conmon and an OCI runtime, images and writable layers by overlay
 * mounts. It needs no network and no other service. Containers outlive it; the next engine on the same directories finds
 * them again.
 */
import type { LoopStatus } from "@podfleet/base/loop";
import type { JournalPiece } from "@podfleet/journal/record/read";
import type { Artifact } from "@podfleet/model/artifact";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerProcess, ContainerUsage } from "@podfleet/model/container/usage";
import { PodfleetError } from "@podfleet/model/errors";
import type { TerminalSize } from "@podfleet/model/exec";
import type { FileStat } from "@podfleet/model/file";
import type { ContainerId, OperationId } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import type { OperationOutcome } from "@podfleet/model/operation";
import type { TransferId, TransferRequest } from "@podfleet/model/transfer";
import type { ImageStore } from "@podfleet/storage/image/image-store";
import type { TransferPiece, TransferRead } from "@podfleet/storage/transfer/piece-reader";

import type { ContainerArtifacts } from "./artifact/container-artifacts.ts";
import { type OpenedEngine, openEngine } from "./assembly/opening.ts";
import {
  type ContainerInspection,
  inspectContainer,
  type InspectParts,
} from "./container/inspect.ts";
import { resizeContainer } from "./container/resize.ts";
import {
  type WaitAnswer,
  waitForContainer,
  type WaitParts,
  type WaitRequest,
} from "./container/wait.ts";
import type { ExecSessions } from "./exec/exec-sessions.ts";
import type { EngineOptions } from "./host/engine-options.ts";
import type { EnginePaths } from "./host/engine-paths.ts";
import type { HostFacts } from "./host/facts.ts";
import type { OperationRequest, Settlement } from "./operation/operation-runner.ts";
import type { JournalRequest, JournalSearch } from "./output/output-reader.ts";
import type { ContainerFiles } from "./rootfs/container-files.ts";
import type { Sessions } from "./session/sessions.ts";
import type { Outbox } from "./state/outbox.ts";
import type { StateStore } from "./state/state-store.ts";
import { transferSource, type TransferSourceParts } from "./transfer-source.ts";
import type { UsageReader } from "./usage/usage-reader.ts";

/** What the engine's reads work with. */
type ReadParts = InspectParts &
  WaitParts &
  TransferSourceParts & {
    readonly paths: EnginePaths;
    readonly store: StateStore;
    readonly images: ImageStore;
    readonly files: ContainerFiles;
    readonly artifacts: ContainerArtifacts;
    readonly usage: UsageReader;
  };

export class Engine {
  /** The host's events, until someone else has stored them. */
  readonly outbox: Pick<Outbox, "lastSeq" | "after" | "commit" | "onAppend">;
  readonly execs: ExecSessions;
  readonly sessions: Sessions;
  readonly #reads: ReadParts;
  readonly #opened: Pick<
    OpenedEngine,
    "activities" | "facts" | "loops" | "opened" | "output" | "runner" | "transfers"
  >;

  private constructor(opened: OpenedEngine) {
    const { parts, sessions } = opened;
    this.outbox = parts.store.outbox;
    this.execs = parts.execSessions;
    this.sessions = sessions;
    this.#reads = parts;
    this.#opened = opened;
  }

  /**
   * Opens the store, brings every record in line with what is there on the host, and carries on operations that an earlier
   * engine left without an outcome.
   * @throws PodfleetError INVALID_INPUT when another engine has the data root open; SCHEMA_TOO_NEW when a newer build has written
   * it; UNSUPPORTED when the host lacks what containers need
   */
  static async open(options: EngineOptions): Promise<Engine> {
    return new Engine(await openEngine(options));
  }

  /** Ends what goes on in the engine, not the containers. Operations under way get a few seconds to end. */
  async close(): Promise<void> {
    for (const activity of this.#opened.activities) await activity.close();
    this.#opened.opened.dispose();
  }

  /**
   * Performs an operation exactly once. Operating errors are failed outcomes. Asked again with the same id it returns the
   * stored outcome, or waits for it.
   * @throws PodfleetError CONFLICT when the id was used for another action; UNAVAILABLE when the engine is closing; INTERNAL
   */
  async perform(request: OperationRequest): Promise<OperationOutcome> {
    try {
      return await this.#opened.runner.perform(request);
    } catch (error) {
      throw PodfleetError.from(error);
    }
  }

  /** What became of an operation; after `unknown` it never takes effect. */
  settle(operationId: OperationId): Settlement {
    return this.#opened.runner.settle(operationId);
  }

  /** @throws PodfleetError CONTAINER_NOT_FOUND */
  async inspect(id: ContainerId): Promise<ContainerInspection> {
    return inspectContainer(this.#reads, id);
  }

  /** How the engine's background work fares. */
  loops(): LoopStatus[] {
    return this.#opened.loops.map(({ status }) => status);
  }

  /** All containers as last committed. */
  containers(): ContainerSnapshot[] {
    return this.#reads.store.list().map(({ snapshot }) => snapshot);
  }

  /**
   * Resolves when the condition is met, or with `pending` after `timeoutMs`; ask again with the same `run` then.
   * @throws PodfleetError CONTAINER_NOT_FOUND; CANCELLED when `signal` is aborted
   */
  async wait(request: WaitRequest, signal?: AbortSignal): Promise<WaitAnswer> {
    return await waitForContainer(this.#reads, request, signal);
  }

  /** See `OutputReader.locate`. */
  async locateJournal(search: JournalSearch): Promise<{ offset: number }> {
    return await this.#opened.output.locate(search);
  }

  /** See `OutputReader.read`. */
  async readJournal(request: JournalRequest, signal?: AbortSignal): Promise<JournalPiece> {
    return await this.#opened.output.read(request, signal);
  }

  /** Takes the next piece of an archive; returns the length that the upload has then. */
  async appendUploadChunk(
    uploadId: OperationId,
    offset: number,
    bytes: Uint8Array,
  ): Promise<{ length: number }> {
    return await this.#reads.images.uploads.append(uploadId, offset, bytes);
  }

  /** See `ContainerFiles.stat`. */
  async statPath(request: Parameters<ContainerFiles["stat"]>[0]): Promise<FileStat | undefined> {
    return await this.#reads.files.stat(request);
  }

  /** See `resizeContainer`. */
  async resize(id: ContainerId, size: TerminalSize): Promise<void> {
    await resizeContainer(this.#reads, id, size);
  }

  /** See `ContainerArtifacts.list`. */
  async artifacts(id: ContainerId): Promise<Artifact[]> {
    return await this.#reads.artifacts.list(id);
  }

  /** See `UsageReader.processes`. */
  async processes(id: ContainerId): Promise<ContainerProcess[]> {
    return await this.#reads.usage.processes(id);
  }

  /** See `UsageReader.usage`. */
  async usage(id: ContainerId): Promise<ContainerUsage> {
    return await this.#reads.usage.usage(id);
  }

  /**
   * Begins to send a stream of bytes.
   * @throws PodfleetError CONTAINER_NOT_FOUND, UNAVAILABLE, and what the kind of stream may fail with
   */
  async openTransfer(request: TransferRequest): Promise<{ transferId: TransferId }> {
    return { transferId: await this.#opened.transfers.open(transferSource(this.#reads, request)) };
  }

  /** See `Transfers.read`. */
  async readTransfer(
    id: TransferId,
    range: TransferRead,
    signal: AbortSignal,
  ): Promise<TransferPiece> {
    return await this.#opened.transfers.read(id, range, signal);
  }

  /** See `Transfers.close`. */
  async closeTransfer(id: TransferId): Promise<void> {
    await this.#opened.transfers.close(id);
  }

  images(): Image[] {
    return this.#reads.images.list();
  }

  hostFacts(): HostFacts {
    return this.#opened.facts;
  }
}
