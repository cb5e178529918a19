import type { HostState } from "@podfleet/model/host";
import type { HostId, ImageId } from "@podfleet/model/ids";
import type { Labels } from "@podfleet/model/name";
import type { Capacity } from "@podfleet/model/resources";

/** A host as the planner sees it. */
export interface CandidateHost {
  readonly id: HostId;
  readonly name: string;
  readonly state: HostState;
  readonly labels: Labels;
  readonly capacity: Capacity;
  /** Reserved by its containers. */
  readonly reserved: Capacity;
  readonly containers: number;
  readonly images: readonly { readonly id: ImageId; readonly names: readonly string[] }[];
}
