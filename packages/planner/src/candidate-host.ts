import type { HostState } from "@podfleet/model/host";
import type { HostId, ImageId } from "@podfleet/model/ids";
import type { Labels } from "@podfleet/model/name";
import type { Capacity } from "@podfleet/model/resources";

/** What the planner knows of a host. */
export interface CandidateHost {
  readonly id: HostId;
  readonly name: string;
  readonly state: HostState;
  readonly labels: Labels;
  readonly capacity: Capacity;
  /** Taken by the containers that it holds. */
  readonly reserved: Capacity;
  readonly containers: number;
  readonly images: readonly { readonly id: ImageId; readonly names: readonly string[] }[];
}
