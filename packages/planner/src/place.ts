/**
 * Chooses the host that a new container runs on. Pure: the choice depends on the request and the hosts, not on the order of the hosts.
 * A container that reserves nothing fits on every host that has its image.
 */
import { PodfleetError } from "@podfleet/model/errors";
import { matchesImage } from "@podfleet/model/image";
import { notDelivered } from "@podfleet/model/operation";
import type { PlacementStrategy } from "@podfleet/model/placement";
import type { Capacity } from "@podfleet/model/resources";

import type { CandidateHost } from "./candidate-host.ts";
import type { PlacementRequest } from "./placement-request.ts";
import { findRejection, type Rejection } from "./rejection.ts";

/**
 * The chosen host, or one of these errors:
 *
 *     HOST_NOT_FOUND    the named host does not exist
 *     HOST_UNREACHABLE  the named host's agent does not answer
 *     IMAGE_NOT_FOUND   no candidate has the image, reachable or not
 *     NO_HOST_FITS      `details.hosts` has the reason for each host
 */
export type PlacementDecision<Host extends CandidateHost> =
  | { readonly host: Host }
  | { readonly error: PodfleetError };

export function place<Host extends CandidateHost>(
  request: PlacementRequest,
  hosts: readonly Host[],
): PlacementDecision<Host> {
  const named = request.placement.host;
  const candidates =
    named === undefined ? hosts : hosts.filter(({ id, name }) => id === named || name === named);
  const rejections: Rejection[] = [];
  const fitting: Host[] = [];
  for (const host of candidates) {
    const rejection = findRejection(request, host);
    if (rejection) rejections.push(rejection);
    else fitting.push(host);
  }
  const [best] = fitting.toSorted((a, b) => compare(request, a, b));
  return best ? { host: best } : { error: refusal(request, candidates, rejections) };
}

const direction: Readonly<Record<PlacementStrategy, 1 | -1>> = { spread: 1, binpack: -1 };

/** Orders hosts by the share that is reserved with the container placed, then by number of containers, then by name. */
function compare(request: PlacementRequest, a: CandidateHost, b: CandidateHost): number {
  const sign = direction[request.placement.strategy];
  const byShare = sign * (reservedShare(request, a) - reservedShare(request, b));
  if (byShare !== 0) return byShare;
  const byContainers = sign * (a.containers - b.containers);
  if (byContainers !== 0) return byContainers;
  return a.name < b.name ? -1 : 1;
}

/** Mean of the shares of CPU and memory that would be reserved, 0 to 1. */
function reservedShare({ reservation }: PlacementRequest, host: CandidateHost): number {
  const share = (key: keyof Capacity): number =>
    host.capacity[key] === 0 ? 0 : (host.reserved[key] + reservation[key]) / host.capacity[key];
  return (share("cpuMillis") + share("memoryBytes")) / 2;
}

function refusal(
  request: PlacementRequest,
  candidates: readonly CandidateHost[],
  rejections: readonly Rejection[],
): PodfleetError {
  const named = request.placement.host;
  const [only] = candidates;
  if (named !== undefined && !only) {
    return new PodfleetError("HOST_NOT_FOUND", `Cannot find host ${JSON.stringify(named)}`, {
      details: { host: named },
    });
  }
  if (named !== undefined && only?.state === "unreachable") return unreachable(only);
  if (candidates.length > 0 && !candidates.some((host) => hasImage(request.image, host))) {
    return imageNotFound(request.image, candidates);
  }
  const list = rejections
    .toSorted((a, b) => (a.host.name < b.host.name ? -1 : 1))
    .map(({ host, message }) => `${host.name}: ${message}`);
  const reasons = list.length > 0 ? list.join("; ") : "no host has joined the fleet";
  return new PodfleetError("NO_HOST_FITS", `Cannot place the container: ${reasons}`, {
    details: { hosts: rejections },
  });
}

function hasImage(reference: string, host: CandidateHost): boolean {
  return host.images.some((image) => matchesImage(reference, image));
}

function unreachable(host: CandidateHost): PodfleetError {
  return new PodfleetError(
    "HOST_UNREACHABLE",
    `Cannot reach host ${JSON.stringify(host.name)}: its agent does not answer`,
    { details: { hostId: host.id, host: host.name, ...notDelivered } },
  );
}

function imageNotFound(image: string, hosts: readonly CandidateHost[]): PodfleetError {
  const where = hosts
    .map(({ name }) => name)
    .toSorted()
    .join(", ");
  return new PodfleetError(
    "IMAGE_NOT_FOUND",
    `Cannot find image ${JSON.stringify(image)}: it is loaded on none of the hosts ${where}`,
    { details: { image, hosts: hosts.map(({ name }) => name) } },
  );
}
