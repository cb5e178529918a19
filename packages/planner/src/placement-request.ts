import type { HostId } from "@podfleet/model/ids";
import type { Placement } from "@podfleet/model/placement";
import type { Capacity } from "@podfleet/model/resources";

/** What a container needs of the host that it is placed on. */
export interface PlacementRequest {
  readonly reservation: Capacity;
  readonly placement: Placement;
  /** The image as the spec names it. */
  readonly image: string;
  /** Containers that must be on the same host. */
  readonly dependencies: readonly { readonly name: string; readonly hostId: HostId }[];
}
