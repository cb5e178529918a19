/** Decides whether a host can grow the reservation of one of its containers. Pure. */
import { PodfleetError } from "@podfleet/model/errors";
import type { Capacity } from "@podfleet/model/resources";

import type { CandidateHost } from "./candidate-host.ts";
import { findShortage } from "./rejection.ts";

/**
 * The reason why `host` cannot reserve `extra` beyond what the container has; undefined when it can. A resource that does not grow is
 * not checked, so a container on a host that has become too small can still be changed.
 * @returns PodfleetError NO_HOST_FITS
 */
export function findGrowthRefusal(
  container: { readonly name: string },
  extra: Capacity,
  host: Pick<CandidateHost, "id" | "name" | "capacity" | "reserved">,
): PodfleetError | undefined {
  const shortage = findShortage(extra, host);
  if (!shortage) return undefined;
  return new PodfleetError(
    "NO_HOST_FITS",
    `Cannot update container "${container.name}": ${host.name}: ${shortage.message}`,
    { details: { hosts: [{ host: { id: host.id, name: host.name }, ...shortage }] } },
  );
}
