/**
 * Loads one archive on several hosts at once: its bytes are sent to all of them as they arrive, at the pace of the slowest, and then
 * each host unpacks its copy. It is one operation with an outcome for each host. A caller that is cut off before the
 * last byte presents the same id again and sends the archive from its start.
 */
import type { Database } from "@podfleet/db/database";
import { type HostLiveness, hostNotFound, listHostLiveness } from "@podfleet/db/hosts";
import {
  findOperation,
  insertOperation,
  insertOperationHosts,
  joinOperation,
  listOperationHosts,
  markDispatched,
  type OperationHostRow,
} from "@podfleet/db/operations";
import { applyOutcome } from "@podfleet/db/projection";
import type { Caller } from "@podfleet/model/caller";
import { hasCode, PodfleetError, type WireError } from "@podfleet/model/errors";
import { newOperationId, type OperationId } from "@podfleet/model/ids";
import type { ImageLoadResult } from "@podfleet/model/image";

import { activeTraceId } from "../trace-context.ts";
import { DriveLease } from "./drive-lease.ts";
import { type Fleet } from "./fleet.ts";
import { HostUpload, sendArchive } from "./host-upload.ts";
import type { OperationDriver } from "./operation-driver.ts";
import { failedOutcome, unreachable } from "./unreachable.ts";

export interface ImageLoadRequest {
  readonly caller: Caller;
  /** Generated when absent. */
  readonly operationId: OperationId | undefined;
  /** Hosts' names or ids; every ready host when empty. */
  readonly hosts: readonly string[];
  readonly archive: AsyncIterable<Uint8Array>;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
}

export class ImageLoads {
  readonly #fleet: Fleet;
  readonly #driver: OperationDriver;

  constructor(fleet: Fleet, driver: OperationDriver) {
    this.#fleet = fleet;
    this.#driver = driver;
  }

  /**
   * @returns the outcome of each host; a host that failed does not fail the others
   * @throws PodfleetError HOST_NOT_FOUND, HOST_UNREACHABLE when none of the hosts is ready, IMAGE_INVALID or the other error that all of them
   *   failed with, CONFLICT, CANCELLED
   */
  async load(request: ImageLoadRequest): Promise<ImageLoadResult> {
    const { database } = this.#fleet;
    const id = request.operationId ?? newOperationId();
    const asked = await chooseHosts(database, request.hosts);
    const ready = asked.filter(({ state }) => state === "ready");
    const away = asked.filter(({ state }) => state !== "ready");
    const outcome = await this.#begin(id, request, ready);
    if (outcome === "new") {
      await this.#carryOut(id, request, ready);
    }
    return resultOf(id, await listOperationHosts(database, id), away);
  }

  /** Records the operation, or joins the recorded one with the id. */
  async #begin(
    id: OperationId,
    request: ImageLoadRequest,
    ready: readonly HostLiveness[],
  ): Promise<"new" | "finished"> {
    const recorded = { verb: "image.load", hosts: request.hosts.toSorted() } as const;
    const operation = {
      id,
      verb: recorded.verb,
      request: recorded,
      caller: request.caller.name,
      traceId: activeTraceId(),
    };
    return await this.#fleet.database.transaction(async (transaction) => {
      if (!(await insertOperation(transaction, operation, "pending"))) {
        await findOperation(transaction, id, recorded);
        const { finishedAt } = await joinOperation(transaction, id);
        return finishedAt ? "finished" : "new";
      }
      const [first] = ready;
      if (!first) throw noneReady();
      await insertOperationHosts(
        transaction,
        id,
        ready.map((host) => host.id),
      );
      return "new";
    });
  }

  async #carryOut(
    id: OperationId,
    request: ImageLoadRequest,
    ready: readonly HostLiveness[],
  ): Promise<void> {
    const { database } = this.#fleet;
    const open = await openHosts(database, id, ready);
    const uploads = open.map((host) => new HostUpload(this.#fleet, host, id));
    const { archive, signal } = request;
    const lease = new DriveLease(database, id);
    const sizeBytes = await sendArchive(uploads, archive, { signal, lease });
    await markDispatched(database, id);
    const action = { verb: "image.load", uploadId: id, sizeBytes } as const;
    await Promise.all(
      uploads.map(async ({ host, error }) => {
        if (error) {
          return await applyOutcome(database, host.id, { id, outcome: failedOutcome(error) });
        }
        try {
          await this.#driver.drive({ id, host, action });
        } catch (failure) {
          // The outcome is recorded now or later; the result shows which.
          if (!hasCode(failure, "HOST_UNREACHABLE")) throw failure;
        }
      }),
    );
  }
}

/** @throws PodfleetError HOST_NOT_FOUND */
async function chooseHosts(
  database: Database,
  references: readonly string[],
): Promise<HostLiveness[]> {
  const hosts = await listHostLiveness(database);
  if (references.length === 0) return hosts.filter(({ state }) => state === "ready");
  return [...new Set(references)].map((reference) => {
    const host = hosts.find(({ id, name }) => id === reference || name === reference);
    if (!host) throw hostNotFound(reference);
    return host;
  });
}

/** The operation's hosts that have no outcome yet. */
async function openHosts(
  database: Database,
  id: OperationId,
  ready: readonly HostLiveness[],
): Promise<HostLiveness[]> {
  const parts = await listOperationHosts(database, id);
  const open = new Set(parts.filter(({ outcome }) => !outcome).map(({ host }) => host.id));
  return ready.filter((host) => open.has(host.id));
}

function resultOf(
  operationId: OperationId,
  parts: readonly OperationHostRow[],
  away: readonly HostLiveness[],
): ImageLoadResult {
  const hosts = [
    ...parts.map(({ host, outcome }) => ({ name: host.name, ...errorIn(host, outcome) })),
    ...away.map((host) => ({ name: host.name, error: unreachable(host).toWire() })),
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const [failure] = hosts.flatMap(({ error }) => (error ? [error] : []));
  if (failure && hosts.every(({ error }) => error)) {
    throw new PodfleetError(failure.code, failure.message, { details: { operationId, hosts } });
  }
  const loaded = parts.flatMap(({ outcome }) =>
    outcome?.status === "succeeded" ? (outcome.images ?? []) : [],
  );
  const images = [...new Map(loaded.map((image) => [image.id, image])).values()];
  return { operationId, images, hosts };
}

function errorIn(
  host: OperationHostRow["host"],
  outcome: OperationHostRow["outcome"],
): { readonly error?: WireError } {
  if (!outcome) return { error: unreachable(host).toWire() };
  return outcome.status === "failed" ? { error: outcome.error } : {};
}

function noneReady(): PodfleetError {
  return new PodfleetError(
    "HOST_UNREACHABLE",
    "Cannot load the archive: none of the hosts is ready",
  );
}
