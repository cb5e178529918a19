/**
 * Creates a container from a checkpoint archive. The spec in the archive decides where it may run; its name and its
 * resources are reserved before the upload, and freed when the upload fails. A caller that is cut off by the end of this process
 * presents the same id again and sends the archive from its start.
 */
import type { MutationResult } from "@podfleet/api/services/operations";
import { findContainerById, summaryOf } from "@podfleet/db/containers";
import type { Database } from "@podfleet/db/database";
import type { HostLiveness } from "@podfleet/db/hosts";
import {
  findOperation,
  joinOperation,
  markDispatched,
  type OperationRow,
} from "@podfleet/db/operations";
import { applyOutcome } from "@podfleet/db/projection";
import type { Caller } from "@podfleet/model/caller";
import type { ImportOptions } from "@podfleet/model/container/checkpoint";
import { PodfleetError } from "@podfleet/model/errors";
import { newOperationId, type OperationId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";

import { activeTraceId } from "../trace-context.ts";
import { readCheckpointHead } from "./checkpoint-head.ts";
import { admitContainer } from "./container-creation.ts";
import { DriveLease } from "./drive-lease.ts";
import { cutShort, type Fleet } from "./fleet.ts";
import { HostUpload, sendArchive } from "./host-upload.ts";
import type { ContainerIdentity } from "./mutation.ts";
import type { OperationDriver } from "./operation-driver.ts";
import { withOperationId } from "./operations.ts";
import { failedOutcome } from "./unreachable.ts";

export interface ImportRequest {
  readonly caller: Caller;
  /** Generated when absent. */
  readonly operationId: OperationId | undefined;
  /** Generated when absent. */
  readonly name: string | undefined;
  /** A host's name or id; when absent, placement chooses among the hosts that have the image. */
  readonly host: string | undefined;
  readonly options: ImportOptions;
  readonly archive: AsyncIterable<Uint8Array>;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
}

interface Place {
  readonly container: ContainerIdentity;
  readonly host: HostLiveness;
}

export class ContainerImports {
  readonly #fleet: Fleet;
  readonly #driver: OperationDriver;

  constructor(fleet: Fleet, driver: OperationDriver) {
    this.#fleet = fleet;
    this.#driver = driver;
  }

  /** @throws PodfleetError CHECKPOINT_INVALID, NAME_IN_USE, HOST_NOT_FOUND, IMAGE_NOT_FOUND, HOST_UNREACHABLE, CONFLICT, CANCELLED, and the operation's failure */
  async perform(request: ImportRequest): Promise<MutationResult> {
    const id = request.operationId ?? newOperationId();
    try {
      return await this.#perform(id, request);
    } catch (error) {
      throw withOperationId(error, id);
    }
  }

  async #perform(id: OperationId, request: ImportRequest): Promise<MutationResult> {
    const { database } = this.#fleet;
    const known = request.operationId && (await findOperation(database, id, recordOf(request)));
    if (known?.outcome) return await resultOf(database, known, known.outcome);
    const head = await readCheckpointHead(request.archive);
    const place = known
      ? await placeOf(database, known)
      : await this.#admit(id, request, head.manifest);
    const joined = known && (await joinOperation(database, id));
    if (joined?.outcome) return await resultOf(database, joined, joined.outcome);
    const sizeBytes = await this.#upload(id, place.host, { ...request, archive: head.archive });
    await markDispatched(database, id);
    const { container, host } = place;
    const outcome = await this.#driver.drive({
      id,
      host,
      action: {
        verb: "container.import",
        containerId: container.id,
        name: container.name,
        uploadId: id,
        sizeBytes,
        ...request.options,
      },
    });
    return await resultOf(database, { id, containerId: container.id }, outcome);
  }

  async #admit(
    id: OperationId,
    request: ImportRequest,
    manifest: Awaited<ReturnType<typeof readCheckpointHead>>["manifest"],
  ): Promise<Place> {
    const { caller, name, host } = request;
    const { name: _, ...rest } = manifest.spec;
    const operation = {
      id,
      verb: "container.import" as const,
      request: recordOf(request),
      caller: caller.name,
      traceId: activeTraceId(),
    };
    const admission = await admitContainer(this.#fleet.database, operation, {
      spec: { ...rest, ...(name === undefined ? {} : { name }) },
      placement: { ...rest.placement, host, ...(host === undefined ? {} : { constraints: [] }) },
      image: manifest.imageId,
      status: "pending",
    });
    switch (admission.type) {
      case "refused":
        throw admission.error;
      case "id-taken":
        throw new PodfleetError(
          "CONFLICT",
          `Cannot import the container: operation "${id}" is under way`,
        );
      case "admitted":
        return { container: admission.container, host: admission.container.host };
    }
  }

  /** @returns the archive's size in bytes */
  async #upload(
    id: OperationId,
    host: HostLiveness,
    { archive, signal: caller }: ImportRequest,
  ): Promise<number> {
    const { database, draining } = this.#fleet;
    const signal = AbortSignal.any([caller, draining]);
    const upload = new HostUpload(this.#fleet, host, id);
    const lease = new DriveLease(database, id);
    try {
      const sizeBytes = await sendArchive([upload], archive, { signal, lease });
      if (upload.error) throw upload.error;
      return sizeBytes;
    } catch (error) {
      // The caller turns to another replica, with the same operation id.
      if (draining.aborted) throw cutShort(this.#fleet, error);
      const outcome = failedOutcome(PodfleetError.from(error));
      await applyOutcome(database, host.id, { id, outcome });
      throw error;
    }
  }
}

/** The request as it is recorded: a retry with the same id must equal it. */
function recordOf({ name, host, options }: ImportRequest): Readonly<Record<string, unknown>> {
  return { verb: "container.import", name, host, ...options };
}

async function placeOf(database: Database, { id, containerId }: OperationRow): Promise<Place> {
  const container =
    containerId === null ? undefined : await findContainerById(database, containerId);
  if (!container) throw new Error(`The container of operation "${id}" is not on record`);
  return { container, host: container.host };
}

async function resultOf(
  database: Database,
  { id, containerId }: Pick<OperationRow, "id" | "containerId">,
  outcome: OperationOutcome,
): Promise<MutationResult> {
  if (outcome.status === "failed") throw PodfleetError.fromWire(outcome.error);
  const row = containerId === null ? undefined : await findContainerById(database, containerId);
  if (!row) throw new Error(`The container of operation "${id}" is not on record`);
  return { operationId: id, container: summaryOf(row, outcome.container ?? row.snapshot) };
}
