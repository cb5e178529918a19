import type { Artifact } from "@podfleet/model/artifact";

import type { MutationResult, OperationRequest } from "./operations.ts";

export interface ArtifactReference {
  /** Name, id or id prefix. */
  readonly container: string;
  readonly name: string;
}

export interface ArtifactAddRequest extends OperationRequest, ArtifactReference {
  readonly bytes: Uint8Array;
}

export interface ArtifactService {
  /** Replaces an artifact of that name. @throws PodfleetError the operation's failure */
  add(request: ArtifactAddRequest, signal: AbortSignal): Promise<MutationResult>;
  /** @throws PodfleetError ARTIFACT_NOT_FOUND; INVALID_INPUT when it is longer than 4 MiB */
  get(request: ArtifactReference, signal: AbortSignal): Promise<Uint8Array>;
  /** Lists artifacts by name. @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE */
  list(container: string): Promise<Artifact[]>;
}
