/**
 * Mutations with an upload: the bytes are sent first, as an upload with the operation's id, and then the operation that uses
 * them. A caller that is cut off before the last byte has changed nothing, and presents the same id again with the bytes from
 * their start.
 */
import type { MutationResult, OperationRequest } from "@podfleet/api/services/operations";
import { getContainer } from "@podfleet/db/containers";
import type { HostLiveness } from "@podfleet/db/hosts";
import { newOperationId, type OperationId } from "@podfleet/model/ids";

import type { Fleet } from "./fleet.ts";
import { HostUpload, sendArchive } from "./host-upload.ts";
import type { Operations } from "./operations.ts";
import { unreachable } from "./unreachable.ts";

/** The mutation that uses the upload. */
export type Taker =
  | { readonly verb: "container.copy"; readonly path: string }
  | { readonly verb: "artifact.add"; readonly name: string };

export interface UploadMutation extends OperationRequest {
  /** Name, id or id prefix. */
  readonly container: string;
  readonly taker: Taker;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
}

/** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE, CANCELLED, CONFLICT; what the operation fails with */
export async function performUpload(
  services: { readonly fleet: Fleet; readonly operations: Operations },
  { caller, container, taker, bytes, signal, operationId = newOperationId() }: UploadMutation,
): Promise<MutationResult> {
  const { fleet, operations } = services;
  const { host } = await getContainer(fleet.database, container);
  const uploadId = operationId;
  const sizeBytes = await uploadTo(fleet, host, { uploadId, bytes, signal });
  const mutation = { ...taker, container, uploadId, sizeBytes };
  return await operations.perform({ caller, operationId, mutation });
}

export interface Upload {
  readonly uploadId: OperationId;
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** @returns the upload's size in bytes */
async function uploadTo(
  fleet: Fleet,
  host: HostLiveness,
  { uploadId, bytes, signal }: Upload,
): Promise<number> {
  if (host.state === "unreachable") throw unreachable(host);
  const upload = new HostUpload(fleet, host, uploadId);
  const sizeBytes = await sendArchive([upload], bytes, { signal });
  if (upload.error) throw upload.error;
  return sizeBytes;
}
