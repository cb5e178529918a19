/** Whether a host can give one of its containers more. Pure. */
import { PodfleetError } from "@podfleet/model/errors";
import type { Capacity } from "@podfleet/model/resources";

import type { CandidateHost } from "./candidate-host.ts";
import { findShortage } from "./rejection.ts";

/**
 * Why `host` cannot reserve `extra` for the container beyond what it has; undefined when it can. What is not to grow is not looked at,
 * so a container of a host that has become too small can still be changed.
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
